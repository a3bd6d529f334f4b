import { appendFile, mkdir, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FileSystem, nodeFileSystem } from '../../../../agent/discover/file-system.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { waitFor } from '../../../support/wait-for.ts';
import { follower, type FollowerOptions } from './follower.ts';

// Time stands still but for a tenth of a second at each look, so nothing below is found by looking at everything slowly,
// unless a test lets a minute pass.

interface Watching extends FollowerOptions {
  /** Relative to the directory. */
  directories?: string[];
}

async function setUp({ directories = [], ...options }: Watching = {}) {
  const directory = await tempDir();
  const at = (name: string): string => join(directory, name);
  for (const name of directories) await mkdir(at(name), { recursive: true });
  const f = await follower(directory, { watch: true, ...options });
  return {
    at,
    f,
    write: (name: string, text: string): Promise<void> => appendFile(at(name), text),
    start: async (): Promise<string> => {
      await f.scan();
      return f.attend(500);
    },
    /** Looks only when told to, until `expected` was read, and nothing else. */
    reads: async (expected: string): Promise<string> => {
      let text = '';
      await waitFor(
        async () => {
          text += await f.attend(100);
          return text.length >= expected.length || undefined;
        },
        { timeoutMs: 8_000, what: `${JSON.stringify(expected)}, read so far ${JSON.stringify(text)}` },
      );
      return text + (await f.attend(200));
    },
  };
}

test('a line in a file that was idle, a new file, a rename and a deletion are told', async () => {
  const { f, at, write, start, reads } = await setUp({ include: ['*.log'] });
  await write('app.log', 'a1\n');
  expect(await start()).toBe('a1\n');
  await write('app.log', 'a2\n');
  expect(await reads('a2\n')).toBe('a2\n');
  await write('new.log', 'n1\n');
  expect(await reads('n1\n')).toBe('n1\n');
  await rename(at('app.log'), at('app.log.1'));
  await write('app.log', 'b1\n');
  await write('app.log.1', 'a3\n');
  expect((await reads('a3\nb1\n')).split('\n').toSorted()).toEqual(['', 'a3', 'b1']);
  await unlink(at('new.log'));
  await waitFor(async () => (await f.attend(1_000), [...f.files.all].length === 1) || undefined, {
    timeoutMs: 8_000,
    what: 'only the file that has its name',
  });
});

test('nothing is due for most of a minute while nothing happens', async () => {
  const { f, write, start } = await setUp();
  for (let i = 0; i < 10; i += 1) await write(`${i}.log`, 'one\n');
  await start();
  let looks = 0;
  for (let second = 0; second < 60; second += 1) {
    await f.clock.advance(1_000);
    if (f.files.pollLeftMs() <= 0) await f.files.poll();
    if (f.files.lookLeftMs() > 0) continue;
    looks += 1;
    await f.files.look();
  }
  // One for each of ten files, and one at all globs.
  expect(looks).toBeLessThanOrEqual(12);
});

describe('directories', () => {
  test('one that appears after the start, and another one in it', async () => {
    const { at, write, start, reads } = await setUp({ include: ['later/**/*.log'] });
    expect(await start()).toBe('');
    await mkdir(at('later'));
    await write('later/a.log', 'a1\n');
    expect(await reads('a1\n')).toBe('a1\n');
    await mkdir(at('later/below'));
    await write('later/below/b.log', 'b1\n');
    expect(await reads('b1\n')).toBe('b1\n');
  });

  test('one that is renamed, removed and made again', async () => {
    const { at, write, start, reads } = await setUp({ include: ['logs/*.log'], directories: ['logs'] });
    await write('logs/a.log', 'a1\n');
    expect(await start()).toBe('a1\n');
    await rename(at('logs'), at('away'));
    await mkdir(at('logs'));
    await write('logs/b.log', 'b1\n');
    expect(await reads('b1\n')).toBe('b1\n');
    await rm(at('logs'), { recursive: true });
    await mkdir(at('logs'));
    await write('logs/c.log', 'c1\n');
    expect(await reads('c1\n')).toBe('c1\n');
  });
});

test('a link into a directory that no glob matches: what is written there is told, also behind the next target', async () => {
  const { at, write, start, reads } = await setUp({
    include: ['current.log'],
    directories: ['data', 'more'],
  });
  await write('data/1', 'a1\n');
  await symlink(at('data/1'), at('current.log'));
  expect(await start()).toBe('a1\n');
  await write('data/1', 'a2\n');
  expect(await reads('a2\n')).toBe('a2\n');
  await write('more/2', 'b1\n');
  await unlink(at('current.log'));
  await symlink(at('more/2'), at('current.log'));
  expect(await reads('b1\n')).toBe('b1\n');
  await write('more/2', 'b2\n');
  expect(await reads('b2\n')).toBe('b2\n');
});

describe('a file that was closed because it was idle', () => {
  async function closed(options: Watching = {}) {
    const s = await setUp({ closeIdleAfterMs: 10_000, include: ['*.log'], ...options });
    await s.write('app.log', 'a1\n');
    await s.start();
    await waitFor(
      async () => {
        await s.f.attend(10_000);
        return [...s.f.files.all].every(({ handle }) => handle === undefined) || undefined;
      },
      { timeoutMs: 8_000, what: 'the file is closed' },
    );
    return s;
  }

  test('is opened again when it grows, and read on', async () => {
    const { write, reads } = await closed();
    await write('app.log', 'a2\n');
    expect(await reads('a2\n')).toBe('a2\n');
  });

  test('is followed when it is renamed out of the globs and written to there', async () => {
    const { at, write, reads } = await closed();
    await rename(at('app.log'), at('app.log.1'));
    await write('app.log.1', 'a2\n');
    await write('app.log', 'b1\n');
    expect((await reads('a2\nb1\n')).split('\n').toSorted()).toEqual(['', 'a2', 'b1']);
  });

  test('is told from one that was made in its place, with its inode or another', async () => {
    const { f, at, write, reads } = await closed();
    await unlink(at('app.log'));
    await write('app.log', 'b1, and it is longer\n');
    expect(await reads('b1, and it is longer\n')).toBe('b1, and it is longer\n');
    expect(f.lost).toEqual([]);
  });

  test('is read from the beginning when it was rewritten to the same length', async () => {
    const { at, reads } = await closed();
    await writeFile(at('app.log'), 'b1\n');
    expect(await reads('b1\n')).toBe('b1\n');
  });
});

describe('where the kernel tells nothing', () => {
  /** Watches can be made, and are silent: a file that is written through a mapping, or on the lower layer of an overlay. */
  const silent: FileSystem = {
    ...nodeFileSystem,
    watch: () => Promise.resolve({ isLocal: true, close: () => {} }),
  };

  test('the slow look finds what has grown, and from then on the directory is polled, said once', async () => {
    const { f, write, start } = await setUp({ fs: silent });
    for (const name of ['a.log', 'b.log']) await write(name, `${name} 1\n`);
    await start();
    for (const name of ['a.log', 'b.log']) await write(name, `${name} 2\n`);
    expect((await f.attend(70_000)).split('\n').toSorted()).toEqual(['', 'a.log 2', 'b.log 2']);
    expect(f.logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
    await f.attend(60_000); // each file is looked at once more at the slow pace
    await write('a.log', 'a.log 3\n');
    // It was quiet for two minutes: a tenth of that is the longest wait.
    expect(await f.attend(15_000)).toBe('a.log 3\n');
    await write('a.log', 'a.log 4\n');
    expect(await f.attend(2_000)).toBe('a.log 4\n');
    expect(f.logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  test('with events dropped for a while, everything comes with the next slow look', async () => {
    let drops = false;
    const dropping: FileSystem = {
      ...nodeFileSystem,
      watch: (directory, onChange) =>
        nodeFileSystem.watch(directory, (change) => {
          if (!drops) onChange(change);
        }),
    };
    const { f, at, write, start } = await setUp({ fs: dropping });
    await write('a.log', 'a1\n');
    await start();
    drops = true;
    await write('a.log', 'a2\n');
    await rename(at('a.log'), at('a.log.1'));
    await write('a.log', 'b1\n');
    await write('new.log', 'n1\n');
    expect((await f.attend(125_000)).split('\n').toSorted()).toEqual(['', 'a2', 'b1', 'n1']);
  });

  test('polling by configuration: new lines and new files come at the intervals that it names', async () => {
    const { f, write, start } = await setUp({ watch: false });
    await write('a.log', 'a1\n');
    expect(await start()).toBe('a1\n');
    await write('a.log', 'a2\n');
    expect(await f.attend(500)).toBe('a2\n');
    await write('b.log', 'b1\n');
    expect(await f.attend(1_500)).toBe('b1\n');
  });
});

describe('a closed file that grows while brokers hold up the reading is opened, and outlives its name', () => {
  const IDLE_MS = 2_000;

  test.each([
    ['told', true],
    ['polled', false],
  ])('its growth is %s', async (_, watch) => {
    const { f, at, write, start } = await setUp({ watch, closeIdleAfterMs: IDLE_MS });
    await write('app.log', 'a1\n');
    expect(await start()).toBe('a1\n');
    const [file] = [...f.files.all];
    for (let ms = 0; ms < 62_000; ms += 1_000) await f.attend(1_000);
    expect(file!.handle).toBeUndefined();
    await write('app.log', 'a2\n');
    await waitFor(
      async () => {
        await f.clock.advance(1_000);
        if (f.files.lookLeftMs() <= 0) await f.files.look(); // nobody looks into files, nobody reads
        return file!.handle;
      },
      { timeoutMs: 8_000, what: 'the closed file to be opened' },
    );
    await unlink(at('app.log'));
    expect(await f.idle(2_000)).toBe('a2\n');
  });

  test('not in the place of others when there are as many as may be open', async () => {
    const { f, write, start } = await setUp({ watch: false, closeIdleAfterMs: IDLE_MS, maxOpenFiles: 2 });
    await write('a.log', 'a1\n');
    expect(await start()).toBe('a1\n');
    const [a] = [...f.files.all];
    for (let ms = 0; ms < 62_000; ms += 1_000) await f.attend(1_000);
    expect(a!.handle).toBeUndefined();
    for (const name of ['b', 'c']) await write(`${name}.log`, `${name}1\n`);
    await f.scan(); // opens them
    await write('a.log', 'a2\n');
    await f.clock.advance(60_000);
    await f.files.look();
    expect([...f.files.all].map(({ handle }) => handle !== undefined)).toEqual([false, true, true]);
    const text = (await f.idle(2_000)).split('\n').toSorted().join(' ').trim();
    expect(text).toBe('a2 b1 c1');
  });
});
