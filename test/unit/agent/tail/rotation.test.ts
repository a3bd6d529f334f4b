import { appendFile, mkdir, rename, rm, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FileSystem, nodeFileSystem } from '../../../../agent/discover/file-system.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { CLOSE_ROTATED_AFTER_MS, follower, PARTIAL_LINE_TIMEOUT_MS } from './follower.ts';

const QUIET_MS = Math.max(CLOSE_ROTATED_AFTER_MS, PARTIAL_LINE_TIMEOUT_MS) + 1_000;

async function setUp(options: Parameters<typeof follower>[1] = {}) {
  const directory = await tempDir();
  const at = (name: string): string => join(directory, name);
  const write = (name: string, text: string): Promise<void> => appendFile(at(name), text);
  const move = (from: string, to: string): Promise<void> => rename(at(from), at(to));
  return { at, write, move, f: await follower(directory, options) };
}

/** Names inside of the globs `*.log*`, and outside of `*.log`. */
const BOTH = [
  ['inside of the globs', ['*.log*']],
  ['outside of the globs', ['*.log']],
] as const;

describe.each(BOTH)('renamed to a name %s', (_, include) => {
  const options = { include: [...include] };

  test('nothing is read again, and the new file from its beginning', async () => {
    const { f, write, move } = await setUp(options);
    await write('app.log', 'a1\na2\n');
    expect(await f.look()).toBe('a1\na2\n');
    await move('app.log', 'app.log.1');
    await write('app.log', 'b1\n');
    expect(await f.look()).toBe('b1\n');
  });

  test('what is written to the old file before the writer opens the new one comes too', async () => {
    const { f, write, move } = await setUp(options);
    await write('app.log', 'a1\n');
    await f.look();
    await move('app.log', 'app.log.1');
    await f.scan();
    await write('app.log.1', 'a2\n');
    expect(await f.look()).toBe('a2\n');
    await write('app.log.1', 'a3\n');
    await write('app.log', 'b1\n');
    expect(await f.look()).toBe('a3\nb1\n');
  });

  test("the old file's backlog comes before the lines of its successor", async () => {
    const { f, write, move } = await setUp({ ...options, chunkBytes: 16 });
    await write('app.log', 'a1\n');
    await f.look();
    await write('app.log', 'a-backlog-line\n'.repeat(50));
    await move('app.log', 'app.log.1');
    await write('app.log', 'b1\n');
    expect(await f.look()).toBe(`${'a-backlog-line\n'.repeat(50)}b1\n`);
  });

  test('several rotations between two looks lose no line of the files that were known', async () => {
    const { f, write, move } = await setUp(options);
    await write('app.log', 'a1\n');
    await f.look();
    await write('app.log', 'a2\n');
    await move('app.log', 'app.log.2');
    await write('app.log.2', 'a3\n');
    await write('app.log', 'c1\n');
    expect(await f.look()).toBe('a2\na3\nc1\n');
  });

  test('rotated while down: the rest of the old file, then the new one', async () => {
    const { f, write, move } = await setUp(options);
    await write('app.log', 'a1\n');
    await f.look();
    await f.restart(async () => {
      await write('app.log', 'a2\n');
      await move('app.log', 'app.log.1');
      await write('app.log', 'b1\n');
    });
    const text = await f.look();
    expect(text.split('\n').toSorted().join(' ').trim()).toBe('a2 b1');
  });

  test('rotated and deleted, with a handle on it: read to its end', async () => {
    const { f, write, move, at } = await setUp(options);
    await write('app.log', 'a1\n');
    await f.look();
    await write('app.log', 'a2\na3\n');
    await move('app.log', 'app.log.1');
    await unlink(at('app.log.1'));
    expect(await f.look()).toBe('a2\na3\n');
    await f.idle(QUIET_MS);
    expect([...f.files.all]).toEqual([]);
  });
});

test('two files that exchange their names while the agent is down do not wait for each other', async () => {
  const { f, write, move } = await setUp();
  await write('a.log', 'a1\n');
  await write('b.log', 'b1\n');
  await f.look();
  await f.restart(async () => {
    await move('a.log', 'other');
    await move('b.log', 'a.log');
    await move('other', 'b.log');
    await write('a.log', 'b2\n');
    await write('b.log', 'a2\n');
  });
  const text = await f.look();
  expect(text.split('\n').toSorted().join(' ').trim()).toBe('a2 b2');
});

test('rotations faster than the looks, over a chain of names, the oldest deleted: every line once, in order', async () => {
  const { f, write, move, at } = await setUp({ chunkBytes: 64 });
  const expected: string[] = [];
  let text = '';
  for (let round = 0; round < 30; round += 1) {
    const lines = Array.from({ length: 20 }, (_, i) => `round ${round} line ${i}`);
    expected.push(...lines);
    await write('app.log', `${lines.join('\n')}\n`);
    if (round % 3 === 2) text += await f.idle(1_000); // slower than the rotation
    await rm(at('app.log.3'), { force: true });
    for (const n of [2, 1]) await move(`app.log.${n}`, `app.log.${n + 1}`).catch(() => {});
    await move('app.log', 'app.log.1');
  }
  text += await f.idle(QUIET_MS);
  const lines = text.trimEnd().split('\n');
  expect(lines.toSorted()).toEqual(expected.toSorted());
  // Order is promised within a file, and each round is a file of its own.
  for (let round = 0; round < 30; round += 1) {
    const mine = (line: string): boolean => line.startsWith(`round ${round} `);
    expect(lines.filter(mine)).toEqual(expected.filter(mine));
  }
});

describe('several generations at once, all names inside of the globs: every line, the oldest file first', () => {
  /** Writes three more generations and leaves `d1` in the current file; each file is a second younger than the last. */
  async function rotateThrice({ write, move, at }: Awaited<ReturnType<typeof setUp>>): Promise<void> {
    const generations = [
      ['a2\n', 'app.log.3'],
      ['b1\n', 'app.log.2'],
      ['c1\n', 'app.log.1'],
    ] as const;
    for (const [i, [text, name]] of generations.entries()) {
      await write('app.log', text);
      await utimes(at('app.log'), 0, 1_700_000_000 + i);
      await move('app.log', name);
    }
    await write('app.log', 'd1\n');
  }

  test('between two looks', async () => {
    const s = await setUp();
    await s.write('app.log', 'a1\n');
    await s.f.look();
    await rotateThrice(s);
    expect(await s.f.look()).toBe('a2\nb1\nc1\nd1\n');
  });

  test('while down', async () => {
    const s = await setUp();
    await s.write('app.log', 'a1\n');
    await s.f.look();
    await s.f.restart(() => rotateThrice(s));
    expect(await s.f.look()).toBe('a2\nb1\nc1\nd1\n');
  });
});

describe('a last line without a newline', () => {
  test('in a file that left the globs: delivered once the file has been quiet for the time-out', async () => {
    const { f, write, move } = await setUp({ include: ['*.log'] });
    await write('app.log', 'a1\nhalf');
    expect(await f.look()).toBe('a1\n');
    await move('app.log', 'app.log.1');
    expect(await f.idle(PARTIAL_LINE_TIMEOUT_MS - 1_000)).toBe('');
    expect(await f.idle(2_000)).toBe('half');
  });

  test('completed after the rename, within the time-out: one line', async () => {
    const { f, write, move } = await setUp({ include: ['*.log'] });
    await write('app.log', 'half');
    await f.look();
    await move('app.log', 'app.log.1');
    await f.idle(PARTIAL_LINE_TIMEOUT_MS - 1_000);
    await write('app.log.1', ' and half\n');
    expect(await f.idle(QUIET_MS)).toBe('half and half\n');
  });

  test('is never let go unread, whatever the two times are', async () => {
    const { f, write, at } = await setUp({ closeRotatedAfterMs: 1_000, partialLineTimeoutMs: 10_000 });
    await write('app.log', 'a1\nhalf');
    await f.look();
    await unlink(at('app.log'));
    expect(await f.idle(15_000)).toBe('half');
    expect([...f.files.all]).toEqual([]);
  });

  test('in a file that was deleted', async () => {
    const { f, write, at } = await setUp();
    await write('app.log', 'half');
    await f.look();
    await unlink(at('app.log'));
    expect(await f.idle(QUIET_MS)).toBe('half');
  });

  test('in a file that a glob still matches waits, because its writer may go on', async () => {
    const { f, write, move, at } = await setUp();
    await write('app.log', 'half');
    await f.look();
    await move('app.log', 'app.log.1');
    expect(await f.idle(60_000)).toBe('');
    await write('app.log.1', ' done\n');
    expect(await f.look()).toBe('half done\n');
    await write('app.log.1', 'end');
    await unlink(at('app.log.1'));
    expect(await f.idle(QUIET_MS)).toBe('end');
  });

  test('completed after a restart: one line', async () => {
    const { f, write } = await setUp();
    await write('app.log', 'a1\nhalf');
    await f.look();
    await f.restart(() => write('app.log', ' and half\n'));
    expect(await f.look()).toBe('half and half\n');
  });
});

describe('letting go', () => {
  test('a file that left the globs is closed after its time, and its lines are not read again when it comes back', async () => {
    const { f, write, move } = await setUp({ include: ['*.log'] });
    await write('app.log', 'a1\n');
    await f.look();
    await move('app.log', 'app.old');
    await f.idle(QUIET_MS);
    expect([...f.files.all]).toEqual([]);
    await move('app.old', 'app.log');
    await write('app.log', 'a2\n');
    expect(await f.look()).toBe('a2\n');
  });

  test('a deleted file is forgotten: the journal does not grow with each rotation', async () => {
    const { f, write, at } = await setUp();
    for (let n = 0; n < 20; n += 1) {
      await write('app.log', `${n}\n`);
      await f.look();
      await unlink(at('app.log'));
      await f.idle(QUIET_MS);
    }
    expect(f.journal.state.files.size).toBe(0);
  });

  test('a deleted file whose last lines get their intent during a look is kept until they are acknowledged', async () => {
    let duringLook: (() => Promise<unknown>) | undefined;
    const fs: FileSystem = {
      ...nodeFileSystem,
      open: async (path) => {
        const handle = await nodeFileSystem.open(path);
        const stat: typeof handle.stat = async () => {
          const happening = duringLook;
          duringLook = undefined;
          await happening?.();
          return handle.stat();
        };
        return { ...handle, stat };
      },
    };
    const { f, write, at } = await setUp({ fs });
    await write('app.log', 'a1\n');
    await f.look();
    const [file] = [...f.files.all];
    await write('app.log', 'a2\n');
    await unlink(at('app.log'));
    await f.poll();
    await f.clock.advance(QUIET_MS);
    f.holdAcknowledgements();
    duringLook = async () => expect(await f.readOn()).toBe('a2\n');
    await f.poll();
    expect(f.journal.state.open.size).toBe(1);
    // The broker may ask for these lines in another shape, and no name leads to them any more.
    const reopened = await f.files.reopen(file!.state.id);
    const bytes = Buffer.alloc(3);
    await reopened?.read(bytes, 0, 3, 3);
    expect(bytes.toString()).toBe('a2\n');
    await reopened?.close();
    f.acknowledge();
    await f.idle(QUIET_MS);
    expect([...f.files.all]).toEqual([]);
    expect(f.journal.state.files.size).toBe(0);
  });

  test('files that were rotated out of the globs and deleted later are forgotten too', async () => {
    const { f, write, move } = await setUp({ include: ['*.log'] });
    for (let n = 0; n < 20; n += 1) {
      await write('app.log', `${n}\n`);
      await f.look();
      await move('app.log', 'app.log.1'); // in place of the one before
      await f.idle(QUIET_MS);
    }
    await f.idle(120_000);
    expect(f.journal.state.files.size).toBe(1);
  });

  test('and those that vanished while the agent was down', async () => {
    const { f, write, move, at } = await setUp({ include: ['*.log'] });
    for (const name of ['a', 'b', 'c']) {
      await write(`${name}.log`, `${name}\n`);
      await f.look();
      await move(`${name}.log`, `${name}.old`);
    }
    await f.idle(QUIET_MS);
    await f.restart(() => Promise.all([unlink(at('a.old')), unlink(at('b.old'))]));
    await f.idle(120_000);
    expect([...f.journal.state.files.values()].map((file) => file.path)).toEqual([at('c.log')]);
    await move('c.old', 'c.log');
    await write('c.log', 'c2\n');
    expect(await f.look()).toBe('c2\n');
  });

  test('the unfinished last line of a file that one look missed, because it was being renamed, stays one line', async () => {
    let isBeingRenamed = false;
    const glob: FileSystem['glob'] = async (...globs) => {
      const { paths, ...rest } = await nodeFileSystem.glob(...globs);
      return { ...rest, paths: isBeingRenamed ? paths.filter((path) => !path.endsWith('.1')) : paths };
    };
    const { f, write, move } = await setUp({ fs: { ...nodeFileSystem, glob } });
    await write('app.log', 'a1\nhalf');
    expect(await f.look()).toBe('a1\n');
    await move('app.log', 'app.log.1');
    isBeingRenamed = true;
    await f.scan();
    isBeingRenamed = false;
    await f.clock.advance(QUIET_MS); // and looks at all names are rare where they take long
    await f.files.poll();
    expect(await f.readOn()).toBe('');
    await f.look();
    await write('app.log.1', ' a line\n');
    expect(await f.look()).toBe('half a line\n');
  });

  test('a writer that goes on in a file that was let go is noticed', async () => {
    const { f, write, move } = await setUp({ include: ['*.log'] });
    await write('app.log', 'a1\n');
    await f.look();
    await move('app.log', 'app.old');
    await f.idle(QUIET_MS);
    await write('app.old', 'a2\n');
    expect(await f.idle(120_000)).toBe('a2\n');
  });

  test('a file that no glob matches is not carried because it has the inode of a file that was', async () => {
    const { f, write, move, at } = await setUp({ include: ['*.log'] });
    await write('app.log', 'a1\n');
    await f.look();
    await move('app.log', 'private.txt');
    await f.idle(QUIET_MS);
    await f.restart(() => writeFile(at('private.txt'), 'not for anybody, and longer\n')); // the same inode
    expect(await f.idle(120_000)).toBe('');
    expect(f.journal.state.files.size).toBe(0);
  });

  test.each(['EACCES', 'EIO', 'ENFILE'])(
    'a file that could not be looked at for minutes (%s), since a start, is not forgotten: nothing is read twice',
    async (code) => {
      let failing = false;
      const stat: FileSystem['stat'] = async (path) => {
        if (failing && path.endsWith('.log')) throw Object.assign(new Error(`${code}: ${path}`), { code });
        return nodeFileSystem.stat(path);
      };
      const { f, write } = await setUp({ fs: { ...nodeFileSystem, stat } });
      await write('app.log', 'a1\n');
      expect(await f.look()).toBe('a1\n');
      failing = true;
      await f.restart();
      expect(await f.idle(200_000)).toBe('');
      failing = false;
      await write('app.log', 'a2\n');
      expect(await f.idle(2_000)).toBe('a2\n');
    },
  );

  test('a link that leads where the agent may not look does not keep what is gone in the journal', async () => {
    const stat: FileSystem['stat'] = async (path) => {
      if (path.endsWith('private')) throw Object.assign(new Error(`EACCES: ${path}`), { code: 'EACCES' });
      return nodeFileSystem.stat(path);
    };
    const { f, write, at } = await setUp({ fs: { ...nodeFileSystem, stat } });
    for (const name of ['private', 'other', 'app.log']) await write(name, 'a1\n');
    await f.look();
    await f.restart(() => unlink(at('app.log')));
    await f.idle(200_000);
    expect(f.journal.state.files.size).toBe(0);
  });

  test('a whole directory that is away for a while is not forgotten: nothing is read twice when it is back', async () => {
    const directory = await tempDir();
    const logs = join(directory, 'logs');
    await mkdir(logs);
    const f = await follower(directory, { include: ['logs/*.log'] });
    await writeFile(join(logs, 'app.log'), 'a1\n');
    expect(await f.look()).toBe('a1\n');
    await rename(logs, join(directory, 'away'));
    await f.idle(120_000);
    await f.restart();
    await f.idle(120_000);
    await rename(join(directory, 'away'), logs);
    await appendFile(join(logs, 'app.log'), 'a2\n');
    expect(await f.look()).toBe('a2\n');
  });
});
