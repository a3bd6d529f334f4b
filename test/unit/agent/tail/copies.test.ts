import {
  appendFile,
  copyFile,
  readFile,
  rename,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { SEARCH_MS } from '../../../../agent/tail/displaced.ts';
import { type FileSystem, nodeFileSystem } from '../../../../agent/discover/file-system.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { follower, type FollowerOptions, PARTIAL_LINE_TIMEOUT_MS } from './follower.ts';

/** Long enough for everything that waits for proof, or for somebody to complete a line. */
const SETTLED_MS = SEARCH_MS + PARTIAL_LINE_TIMEOUT_MS + 5_000;

async function setUp(options: FollowerOptions = {}) {
  const directory = await tempDir();
  const at = (name: string): string => join(directory, name);
  return {
    at,
    write: (name: string, text: string): Promise<void> => appendFile(at(name), text),
    copy: (from: string, to: string): Promise<void> => copyFile(at(from), at(to)),
    truncate: (name: string): Promise<void> => truncate(at(name)),
    move: (from: string, to: string): Promise<void> => rename(at(from), at(to)),
    /** The first `bytes` bytes of a file: a copy that is being made. */
    copyPart: async (from: string, to: string, bytes: number): Promise<void> =>
      writeFile(at(to), (await readFile(at(from))).subarray(0, bytes)),
    f: await follower(directory, options),
  };
}

const sorted = (text: string): string => text.split('\n').toSorted().join(' ').trim();

/** Names inside of the globs `*.log*`, and outside of `*.log`. */
const BOTH = [
  ['inside of the globs', ['*.log*']],
  ['outside of the globs', ['*.log']],
] as const;

test('a file that has had one byte for long, that of an emptied file: it is no copy, and its line comes whole', async () => {
  const { f, write, truncate } = await setUp();
  await write('app.log', 'a1\na2\n');
  let text = await f.look();
  await write('other.log', 'a');
  text += await f.look(); // equal, as far as it goes
  await truncate('app.log');
  text += (await f.look()) + (await f.idle(SETTLED_MS));
  await write('other.log', 'nother line\n');
  text += (await f.look()) + (await f.idle(SETTLED_MS));
  expect(text).toBe('a1\na2\nanother line\n');
});

describe.each(BOTH)('copytruncate, the copy %s', (_, include) => {
  const options = { include: [...include] };

  test('quiet: nothing is sent twice', async () => {
    const { f, write, copy, truncate } = await setUp(options);
    await write('app.log', 'a1\na2\n');
    let text = await f.look();
    await copy('app.log', 'app.log.1');
    await truncate('app.log');
    await write('app.log', 'b1\n');
    text += (await f.look()) + (await f.idle(SETTLED_MS));
    expect(text).toBe('a1\na2\nb1\n');
    expect(f.lost).toEqual([]);
  });

  test('with lines unread: the rest comes from the copy, before the new lines', async () => {
    const { f, write, copy, truncate } = await setUp(options);
    await write('app.log', 'a1\n');
    let text = await f.look();
    await write('app.log', 'a2\na3\n');
    await copy('app.log', 'app.log.1');
    await truncate('app.log');
    await write('app.log', 'b1\n');
    text += (await f.look()) + (await f.idle(SETTLED_MS));
    expect(sorted(text)).toBe('a1 a2 a3 b1');
    expect(text.indexOf('a3')).toBeLessThan(text.indexOf('b1'));
    expect(f.lost).toEqual([]);
    expect(f.logged.filter((line) => line.level === 'error')).toEqual([]);
  });

  test('the copy is made slowly, and looked at meanwhile', async () => {
    const { f, write, copyPart, truncate } = await setUp(options);
    const lines = Array.from({ length: 200 }, (_unused, i) => `line ${i} of the old file\n`).join('');
    await write('app.log', lines);
    let text = await f.look();
    await write('app.log', 'unread\n');
    for (const bytes of [0, 10, 100, 1_000, 3_000]) {
      await copyPart('app.log', 'app.log.1', bytes);
      await f.scan(); // the file itself is not read on: whatever the order of looks is
    }
    await copyPart('app.log', 'app.log.1', 1_000_000);
    text += await f.idle(2_000);
    await truncate('app.log');
    await write('app.log', 'new\n');
    text += await f.idle(SETTLED_MS);
    expect(sorted(text)).toBe(sorted(`${lines}unread\nnew\n`));
  });

  test('written and read after the copy was made: the copy is shorter than what was read', async () => {
    const { f, write, copy, truncate, move } = await setUp(options);
    await write('app.log', 'a1 is a line\na2 is a line\n');
    let text = await f.look();
    await copy('app.log', 'copy.tmp'); // where no glob finds it yet
    await write('app.log', 'a3 is a line\n');
    text += await f.idle(1_000);
    await truncate('app.log');
    await move('copy.tmp', 'app.log.1');
    await write('app.log', 'b1 is a line\n');
    text += await f.idle(SETTLED_MS);
    expect(text).toBe('a1 is a line\na2 is a line\na3 is a line\nb1 is a line\n');
  });

  test('written after the copy was made, and seen but not read: counted, with its place', async () => {
    const { f, write, copy, truncate } = await setUp(options);
    await write('app.log', 'a1\n');
    let text = await f.look();
    await write('app.log', 'a2\n');
    await copy('app.log', 'app.log.1');
    await write('app.log', 'a3\n');
    await f.poll();
    await truncate('app.log');
    text += await f.idle(SETTLED_MS);
    expect(text).toBe('a1\na2\n');
    expect(f.lost).toEqual([[3, 'truncated']]);
    const [error] = f.logged.filter((line) => line.level === 'error');
    expect([error!.fields['from'], error!.fields['to']]).toEqual([6, 9]);
  });

  test('while down', async () => {
    const { f, write, copy, truncate } = await setUp(options);
    await write('app.log', 'a1\n');
    let text = await f.look();
    await f.restart(async () => {
      await write('app.log', 'a2\n');
      await copy('app.log', 'app.log.1');
      await truncate('app.log');
      await write('app.log', 'b1\n');
    });
    text += await f.idle(SETTLED_MS);
    expect(sorted(text)).toBe('a1 a2 b1');
    await f.restart();
    expect(await f.idle(SETTLED_MS)).toBe('');
  });

  test('with a restart between each two steps', async () => {
    const { f, write, copyPart, copy, truncate } = await setUp(options);
    await write('app.log', 'a1\n');
    let text = await f.look();
    const steps = [
      () => write('app.log', 'a2\n'),
      () => copyPart('app.log', 'app.log.1', 4),
      () => copy('app.log', 'app.log.1'),
      () => truncate('app.log'),
      () => write('app.log', 'b1\n'),
      () => write('app.log', 'b2\n'),
    ];
    for (const step of steps) {
      await f.restart(step);
      await f.scan(); // the look that a crash cuts short
    }
    await f.restart();
    text += await f.idle(SETTLED_MS);
    expect(sorted(text)).toBe('a1 a2 b1 b2');
    expect(f.lost).toEqual([]);
  });

  test('again and again, over a chain of names', async () => {
    const { f, write, copy, truncate, move } = await setUp(options);
    let text = '';
    const expected: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      for (let i = 0; i < 3; i += 1) {
        expected.push(`round ${round} line ${i}`);
        await write('app.log', `${expected.at(-1)}\n`);
        if (i === round % 3) text += await f.look();
      }
      for (const n of [2, 1]) await move(`app.log.${n}`, `app.log.${n + 1}`).catch(() => {});
      await copy('app.log', 'app.log.1');
      if (round % 2 === 0) await f.scan();
      await truncate('app.log');
      text += await f.idle(1_000 * (round % 3));
    }
    text += await f.idle(SETTLED_MS);
    expect(text.trimEnd().split('\n').toSorted()).toEqual(expected.toSorted());
    expect(f.lost).toEqual([]);
  });

  test('twice, and the new lines were there before anybody saw that the file was emptied', async () => {
    const { f, write, copy, truncate, move } = await setUp(options);
    await write('app.log', 'a1 is a line of this file\n');
    let text = await f.look();
    await copy('app.log', 'app.log.1');
    await truncate('app.log');
    await write('app.log', 'b1 is a line of this file\n');
    text += await f.idle(1_000);
    await move('app.log.1', 'app.log.2');
    await copy('app.log', 'app.log.1');
    text += await f.idle(1_000);
    await truncate('app.log');
    text += await f.idle(SETTLED_MS);
    expect(text).toBe('a1 is a line of this file\nb1 is a line of this file\n');
  });

  test('the copy is renamed while it is looked for', async () => {
    const { f, write, copy, truncate, move } = await setUp(options);
    await write('app.log', 'a1\n');
    let text = await f.look();
    await write('app.log', 'a2\n');
    await copy('app.log', 'app.log.tmp');
    await truncate('app.log');
    await move('app.log.tmp', 'app.log.1');
    text += await f.idle(SETTLED_MS);
    expect(text).toBe('a1\na2\n');
  });

  test('the half line at the end of the copy is delivered when nobody completes it', async () => {
    const { f, write, copy, truncate } = await setUp(options);
    await write('app.log', 'a1\nhalf a li');
    let text = await f.look();
    await copy('app.log', 'app.log.1');
    await truncate('app.log');
    text += await f.idle(SETTLED_MS);
    expect(text).toBe('a1\nhalf a li');
    expect(f.lost).toEqual([]);
  });

  test('a batch that must be built again finds its bytes in the copy, also after a restart', async () => {
    const { f, write, copy, truncate } = await setUp(options);
    await write('app.log', 'a1\na2\n');
    await f.look();
    const { id } = [...f.journal.state.files.values()][0]!;
    await f.restart(async () => {
      await copy('app.log', 'app.log.1');
      await truncate('app.log');
    });
    await f.scan();
    const handle = await f.files.reopen(id);
    const bytes = Buffer.alloc(6);
    expect(await handle!.read(bytes, 0, 6, 0)).toBe(6);
    await handle!.close();
    expect(bytes.toString()).toBe('a1\na2\n');
  });
});

test('the file and its copy are both new to the agent, and the copy is the older one by its time of modification', async () => {
  const { f, at, write, copy, truncate } = await setUp();
  await write('app.log', '');
  await f.look();
  await write('app.log', 'a1 is a line of this file\n');
  await copy('app.log', 'app.log.1');
  await utimes(at('app.log.1'), 0, 1_600_000_000);
  await write('app.log', 'a2 is a line of this file\n');
  await f.restart();
  let text = await f.look();
  await truncate('app.log');
  text += await f.idle(SETTLED_MS);
  expect(text).toBe('a1 is a line of this file\na2 is a line of this file\n');
});

test('emptied between the look at its size and the look at its first bytes: no alarm, and the copy is carried', async () => {
  const directory = await tempDir();
  const log = join(directory, 'app.log');
  let emptyAfterStat = false;
  const fs: FileSystem = {
    ...nodeFileSystem,
    open: async (path) => {
      const handle = await nodeFileSystem.open(path);
      const stat = async () => {
        const found = await handle.stat();
        if (emptyAfterStat && path === log) await truncate(log);
        emptyAfterStat = false;
        return found;
      };
      return { ...handle, stat };
    },
  };
  const f = await follower(directory, { fs });
  await writeFile(log, '');
  await f.look();
  await appendFile(log, 'a1\n');
  await copyFile(log, `${log}.1`);
  await f.scan();
  emptyAfterStat = true;
  let text = await f.look();
  text += await f.idle(SETTLED_MS);
  expect(text).toBe('a1\n');
  expect(f.lost).toEqual([]);
});

test('a copy that is compressed cannot be read on in: what was seen and not read is counted, and the archive is left alone', async () => {
  const { f, write, at, truncate } = await setUp();
  await write('app.log', 'a1\n');
  let text = await f.look();
  await write('app.log', 'a2\n');
  await f.poll();
  await writeFile(at('app.log.1.gz'), gzipSync(await readFile(at('app.log'))));
  await truncate('app.log');
  text += await f.idle(SETTLED_MS);
  expect(text).toBe('a1\n');
  expect(f.lost).toEqual([[3, 'truncated']]);
});

describe('files with the same content that are no rotation', () => {
  test('a copy that somebody made and that the globs match is carried, after a while', async () => {
    const { f, write, copy } = await setUp();
    await write('app.log', 'a1\na2\n');
    await f.look();
    await copy('app.log', 'backup.log');
    expect(await f.idle(2_000)).toBe('');
    expect(await f.idle(SETTLED_MS)).toBe('a1\na2\n');
    await write('app.log', 'a3\n');
    await write('backup.log', 'b3\n');
    expect(sorted(await f.look())).toBe('a3 b3');
  });

  test('two files that are equal at first and go different ways are both carried completely, at once', async () => {
    const { f, write } = await setUp();
    const banner = '# the same banner\n'.repeat(300);
    await write('a.log', banner);
    await write('b.log', banner);
    let text = await f.idle(500);
    expect(text).toBe(banner);
    await write('a.log', 'a1\n');
    await write('b.log', 'b1\n');
    text += await f.idle(1_000);
    expect(sorted(text)).toBe(sorted(`${banner}a1\n${banner}b1\n`));
  });

  test('of which one is a beginning of the other for good', async () => {
    const { f, write } = await setUp();
    await write('a.log', 'start\n');
    await write('b.log', 'start\nb1\n');
    expect(sorted(await f.idle(SETTLED_MS))).toBe('b1 start start');
  });

  test('that grow in step for ever are both carried', async () => {
    const { f, write } = await setUp();
    let text = '';
    for (let i = 0; i < 30; i += 1) {
      await write('a.log', `line ${i}\n`);
      await write('b.log', `line ${i}\n`);
      text += await f.idle(1_000);
    }
    text += await f.idle(SETTLED_MS);
    expect(text.trimEnd().split('\n')).toHaveLength(60);
  });

  test('one is truncated by hand while another one begins in the same way: the other one is carried completely', async () => {
    const { f, write, truncate } = await setUp();
    const banner = '# the same banner\n'.repeat(20);
    await write('a.log', `${banner}a1\na2\n`);
    let text = await f.look();
    await truncate('a.log');
    await write('b.log', `${banner}b1\n`);
    text += await f.idle(SETTLED_MS);
    expect(sorted(text)).toBe(sorted(`${banner}a1\na2\n${banner}b1\n`));
  });

  test('a file that is deleted and made again with the same first lines is carried from its beginning', async () => {
    const { f, write, at } = await setUp();
    await write('app.log', 'start\n');
    let text = await f.look();
    await unlink(at('app.log'));
    await write('app.log', 'start\n');
    text += await f.idle(SETTLED_MS);
    await write('app.log', 'b1\n');
    text += await f.idle(1_000);
    expect(sorted(text)).toBe('b1 start start');
  });
});
