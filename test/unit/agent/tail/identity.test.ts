import { appendFile, copyFile, mkdtemp, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Entry, fileNumber } from '../../../../agent/checkpoint/entries.ts';
import { parseJournal } from '../../../../agent/checkpoint/journal-lines.ts';
import { apply, emptyState } from '../../../../agent/checkpoint/state.ts';
import { type FileStat, type FileSystem, nodeFileSystem } from '../../../../agent/discover/file-system.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { follower } from './follower.ts';

/** The real file system, whose files say of themselves what `change` makes of it. */
function disguised(change: (stat: FileStat, path: string) => FileStat): FileSystem {
  return {
    ...nodeFileSystem,
    stat: async (path) => change(await nodeFileSystem.stat(path), path),
    open: async (path) => {
      const handle = await nodeFileSystem.open(path);
      return { ...handle, stat: async () => change(await handle.stat(), path) };
    },
  };
}

/** Another file system than that of temporary directories; undefined where there is none. */
async function otherFileSystem(): Promise<string | undefined> {
  const here = await stat(await tempDir());
  const shared = await stat('/dev/shm').catch(() => undefined);
  if (shared === undefined || shared.dev === here.dev) return undefined;
  const directory = await mkdtemp('/dev/shm/skald-test-');
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

describe('birth time', () => {
  test.each(['ext4 or what temporary directories are on', 'tmpfs'])(
    '%s: known once the file has changed, and then the same',
    async (where) => {
      const directory = where === 'tmpfs' ? await otherFileSystem() : await tempDir();
      if (directory === undefined) return;
      const path = join(directory, 'a');
      await writeFile(path, 'a');
      await expect
        .poll(async () => {
          await appendFile(path, 'a');
          return (await nodeFileSystem.stat(path)).bornNs;
        })
        .toBeTypeOf('number');
      const { bornNs } = await nodeFileSystem.stat(path);
      await appendFile(path, 'a');
      expect((await nodeFileSystem.stat(path)).bornNs).toBe(bornNs);
    },
  );

  test('a file system without one, such as proc: nothing is claimed', async () => {
    expect((await nodeFileSystem.stat('/proc/self/status')).bornNs).toBeUndefined();
  });
});

describe('an inode that is used again, by a file with the same first bytes', () => {
  /** One inode number for all files, as if each new one took that of the last; each has its own birth. */
  const births = new Map<string, number>();
  const oneInode = disguised((found, path) => ({ ...found, key: 'fd-1', bornNs: births.get(path) ?? 1 }));

  test.each(['as long', 'longer'] as const)('%s than before, while the agent is down', async (length) => {
    const directory = await tempDir();
    const log = join(directory, 'app.log');
    births.set(log, 1_000);
    const f = await follower(directory, { fs: oneInode });
    await writeFile(log, 'start\na1\n');
    expect(await f.look()).toBe('start\na1\n');
    const fresh = { 'as long': 'start\na1\n', longer: 'start\na1\nb2\n' }[length];
    await f.restart(async () => {
      await writeFile(log, fresh);
      births.set(log, 2_000);
    });
    expect(await f.idle(10_000)).toBe(fresh);
  });

  test('a birth time that cannot be trusted says nothing: the file goes on', async () => {
    const directory = await tempDir();
    const log = join(directory, 'app.log');
    const without = disguised((found) => {
      delete found.bornNs;
      return found;
    });
    const f = await follower(directory, { fs: without });
    await writeFile(log, 'a1\n');
    expect(await f.look()).toBe('a1\n');
    await f.restart(() => appendFile(log, 'a2\n'));
    expect(await f.look()).toBe('a2\n');
  });
});

test('the same inode number on two devices: two files', async () => {
  const directory = await tempDir();
  const fs = disguised((found, path) => ({ ...found, key: path.endsWith('a.log') ? 'fd-7' : 'fe-7' }));
  const f = await follower(directory, { fs });
  await writeFile(join(directory, 'a.log'), 'a1\n');
  await writeFile(join(directory, 'b.log'), 'b1\n');
  expect((await f.look()).split('\n').toSorted().join(' ').trim()).toBe('a1 b1');
  await f.restart(async () => {
    await appendFile(join(directory, 'a.log'), 'a2\n');
    await appendFile(join(directory, 'b.log'), 'b2\n');
  });
  expect((await f.look()).split('\n').toSorted().join(' ').trim()).toBe('a2 b2');
});

describe('devices that have other numbers after a reboot', () => {
  async function rebooted(births: 'with birth times' | 'without birth times') {
    const directory = await tempDir();
    let device = 'fd';
    const fs = disguised(({ bornNs, ...found }) => ({
      ...found,
      key: found.key.replace(/^[^-]*/, device),
      ...(births === 'with birth times' && bornNs !== undefined && { bornNs }),
    }));
    const f = await follower(directory, { fs });
    return {
      f,
      at: (name: string): string => join(directory, name),
      reboot: (meanwhile: () => Promise<unknown>): Promise<void> =>
        f.restart(async () => {
          device = '2e';
          await meanwhile();
        }),
    };
  }

  test.each(['with birth times', 'without birth times'] as const)(
    '%s: files are known by inode and content, and nothing is read twice',
    async (births) => {
      const { f, at, reboot } = await rebooted(births);
      await writeFile(at('app.log'), 'a1\n');
      await writeFile(at('other.log'), 'o1\n');
      await f.look();
      await reboot(() => appendFile(at('app.log'), 'a2\n'));
      expect(await f.idle(10_000)).toBe('a2\n');
      await f.restart();
      expect(await f.idle(10_000)).toBe('');
    },
  );

  test('with birth times, and renamed in between', async () => {
    const { f, at, reboot } = await rebooted('with birth times');
    await writeFile(at('app.log'), 'a1\n');
    await f.look();
    // The birth time shows when the file has changed after it.
    await expect
      .poll(async () => {
        await appendFile(at('app.log'), 'a\n');
        await f.look();
        return [...f.journal.state.files.values()][0]!.bornNs;
      })
      .toBeTypeOf('number');
    await reboot(async () => {
      await rename(at('app.log'), at('app.log.1'));
      await writeFile(at('app.log'), 'b1\n');
    });
    expect(await f.idle(10_000)).toBe('b1\n');
  });

  test('another file that has the inode number and the name, and other content, is read from its beginning', async () => {
    const { f, at, reboot } = await rebooted('without birth times');
    await writeFile(at('app.log'), 'a1\n');
    await f.look();
    await reboot(() => writeFile(at('app.log'), 'b1\nb2\n'));
    expect(await f.idle(30_000)).toBe('b1\nb2\n');
  });
});

describe('rotated into another file system, by copying and unlinking', () => {
  test.each(['inside', 'outside'] as const)('the copy %s of the globs: every line once', async (where) => {
    const elsewhere = await otherFileSystem();
    if (elsewhere === undefined) return;
    const directory = await tempDir();
    const log = join(directory, 'app.log');
    const f = await follower('/', {
      include: [`${directory.slice(1)}/*.log`, ...(where === 'inside' ? [`${elsewhere.slice(1)}/*`] : [])],
    });
    await writeFile(log, 'a1\n');
    let text = await f.look();
    await appendFile(log, 'a2\n');
    await copyFile(log, join(elsewhere, 'app.log.1'));
    text += await f.idle(1_000);
    await unlink(log);
    text += await f.idle(60_000);
    expect(text).toBe('a1\na2\n');
    await f.restart();
    expect(await f.idle(30_000)).toBe('');
  });

  test.each(['made again', 'not made again'] as const)(
    'while the agent is down, and the old name %s',
    async (again) => {
      const elsewhere = await otherFileSystem();
      if (elsewhere === undefined) return;
      const directory = await tempDir();
      const log = join(directory, 'app.log');
      const f = await follower('/', { include: [`${directory.slice(1)}/*.log`, `${elsewhere.slice(1)}/*`] });
      await writeFile(log, 'a1\n');
      let text = await f.look();
      await f.restart(async () => {
        await appendFile(log, 'a2\n');
        await copyFile(log, join(elsewhere, 'app.log.1'));
        await unlink(log);
        if (again === 'made again') await writeFile(log, 'b1\n');
      });
      text += await f.idle(60_000);
      expect(text.split('\n').toSorted().join(' ').trim()).toBe(
        again === 'made again' ? 'a1 a2 b1' : 'a1 a2',
      );
    },
  );
});

test('a journal that is cut off anywhere has a file with its number, or neither: what it lacks is new to it', async () => {
  const directory = await tempDir();
  for (const name of ['a.log', 'b.log', 'c.log']) await writeFile(join(directory, name), `${name}\n`);
  const agent = await follower(directory);
  await agent.look();
  await agent.journal.flush();
  const { entries } = parseJournal(agent.disk.content);
  const numbers = (some: readonly Entry[]): number[] =>
    some.filter((entry) => entry.t === 'file').map(({ id }) => fileNumber(id));
  expect(numbers(entries)).toEqual([1, 2, 3]);
  for (const cut of entries.keys()) {
    const state = emptyState('p', 't');
    for (const entry of entries.slice(0, cut)) apply(state, entry);
    for (const number of numbers(entries.slice(cut))) {
      expect(number, `behind entry ${cut}`).toBeGreaterThanOrEqual(state.nextFile);
    }
  }
});
