import { execFile } from 'node:child_process';
import { appendFile, link, mkdir, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type FileSystem, nodeFileSystem } from '../../../../agent/discover/file-system.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { follower, type FollowerOptions } from './follower.ts';

const makeFifo = (path: string): Promise<unknown> => promisify(execFile)('mkfifo', [path]);

async function setUp(options: FollowerOptions = {}) {
  const directory = await tempDir();
  const at = (name: string): string => join(directory, name);
  return {
    at,
    write: (name: string, text: string): Promise<void> => appendFile(at(name), text),
    f: await follower(directory, options),
  };
}

describe('sizes', () => {
  test('an empty file is followed, and its first byte is read', async () => {
    const { f, write } = await setUp();
    await write('app.log', '');
    expect(await f.look()).toBe('');
    await write('app.log', '\n');
    expect(await f.look()).toBe('\n');
  });

  test('a file of one line is read at once, not after a kilobyte', async () => {
    const { f, write } = await setUp();
    await write('app.log', 'x\n');
    expect(await f.look()).toBe('x\n');
  });

  test('two files that share their first kilobytes are two files', async () => {
    const { f, write } = await setUp();
    const banner = '# the same banner\n'.repeat(200);
    await write('a.log', `${banner}a\n`);
    await write('b.log', `${banner}b\n`);
    const text = await f.look();
    expect(text).toHaveLength(2 * (banner.length + 2));
    await f.restart();
    await write('a.log', 'a2\n');
    await write('b.log', 'b2\n');
    expect((await f.look()).split('\n').toSorted()).toEqual(['', 'a2', 'b2']);
  });
});

describe('where to start', () => {
  test('at the beginning of files that are there, and of those that come later', async () => {
    const { f, write } = await setUp();
    await write('old.log', 'old\n');
    expect(await f.look()).toBe('old\n');
    await write('new.log', 'new\n');
    expect(await f.look()).toBe('new\n');
  });

  test('at the end of files that are there at the first start; later ones from their beginning', async () => {
    const { f, write } = await setUp({ startAt: 'end' });
    await write('old.log', 'before\n');
    expect(await f.look()).toBe('');
    await write('old.log', 'after\n');
    await write('new.log', 'new\n');
    expect((await f.look()).split('\n').toSorted()).toEqual(['', 'after', 'new']);
  });

  test('at the end in the middle of a line: the rest of that line is not half a record', async () => {
    const { f, write } = await setUp({ startAt: 'end' });
    await write('app.log', 'whole\nbeginning of a ');
    await f.look();
    await write('app.log', 'line\nnext\n');
    expect(await f.look()).toBe('next\n');
  });

  test('at the end counts for the first start only, also when there was no file at all then', async () => {
    const { f, write } = await setUp({ startAt: 'end' });
    await f.look();
    await f.restart(() => write('app.log', 'while down\n'));
    expect(await f.look()).toBe('while down\n');
  });

  test('after a restart where it stopped, however the file has grown', async () => {
    const { f, write } = await setUp({ startAt: 'end' });
    await write('app.log', 'one\n');
    await f.look();
    await write('app.log', 'two\n');
    expect(await f.look()).toBe('two\n');
    await f.restart(() => write('app.log', 'three\n'));
    expect(await f.look()).toBe('three\n');
  });
});

describe('several names', () => {
  test('hard links are one file: read once, and the last name keeps it', async () => {
    const { f, write, at } = await setUp();
    await write('a.log', 'one\n');
    await link(at('a.log'), at('b.log'));
    expect(await f.look()).toBe('one\n');
    await unlink(at('a.log'));
    await write('b.log', 'two\n');
    expect(await f.look()).toBe('two\n');
    expect([...f.files.all].map((file) => [file.state.path, file.detached])).toEqual([[at('b.log'), false]]);
  });

  test('a symbolic link and its target, both in the globs: read once', async () => {
    const { f, write, at } = await setUp();
    await write('real.log', 'one\n');
    await symlink(at('real.log'), at('link.log'));
    expect(await f.look()).toBe('one\n');
  });

  test('a symbolic link to a file outside of the globs is followed', async () => {
    const { f, write, at } = await setUp();
    await mkdir(at('data'));
    await write('data/2026-01-01', 'one\n');
    await symlink(at('data/2026-01-01'), at('current.log'));
    expect(await f.look()).toBe('one\n');
    await write('data/2026-01-01', 'two\n');
    expect(await f.look()).toBe('two\n');
  });

  test('a link that is pointed to another file: the old target to its end, then the new one', async () => {
    const { f, write, at } = await setUp();
    await mkdir(at('data'));
    await write('data/1', 'a1\n');
    await symlink(at('data/1'), at('current.log'));
    await f.look();
    await write('data/1', 'a2\n');
    await write('data/2', 'b1\n');
    await unlink(at('current.log'));
    await symlink(at('data/2'), at('current.log'));
    expect(await f.look()).toBe('a2\nb1\n');
  });

  test('a dangling link is no file yet, and nobody is alarmed', async () => {
    const { f, write, at } = await setUp();
    await symlink(at('target'), at('app.log'));
    expect(await f.look()).toBe('');
    expect(f.logged.filter((line) => line.level === 'error')).toEqual([]);
    await write('target', 'one\n');
    expect(await f.look()).toBe('one\n');
  });

  test('a link that leads to itself does the other files no harm', async () => {
    const { f, write, at } = await setUp();
    await symlink(at('loop.log'), at('loop.log'));
    await write('app.log', 'one\n');
    expect(await f.look()).toBe('one\n');
  });
});

describe('unusual names', () => {
  test('line breaks, spaces, quotes and characters of globs in names of files and directories', async () => {
    const { f, write, at } = await setUp({ include: ['**/*.log'] });
    const names = [
      'new\nline.log',
      'sp ace.log',
      '[a]{b,c}*?.log',
      'back\\slash.log',
      `'"$.log`,
      'ü.log',
      '\n.log',
    ];
    await mkdir(at('a\n b'));
    for (const directory of ['', 'a\n b/']) {
      for (const name of names) await write(`${directory}${name}`, `${JSON.stringify(directory + name)}\n`);
    }
    const lines = (await f.look()).trim().split('\n');
    const expected = ['', 'a\n b/'].flatMap((directory) =>
      names.map((name) => JSON.stringify(directory + name)),
    );
    expect(lines.map((line) => Buffer.from(line, 'latin1').toString()).toSorted()).toEqual(
      expected.toSorted(),
    );
  });

  test('a name that is not UTF-8 cannot be asked for: said with what to do, and the others go on', async () => {
    const { f, write, at } = await setUp({ include: ['**/*.log'] });
    const bad = (name: string): Buffer => Buffer.concat([Buffer.from(at('')), Buffer.from(name, 'latin1')]);
    await writeFile(bad('/b\xe4d.log'), 'one\n');
    await mkdir(bad('/d\xefr'));
    await writeFile(bad('/d\xefr/app.log'), 'one\n');
    await writeFile(bad('/b\xe4d.txt'), 'not asked for\n');
    await write('\ufffd.log', 'a name in UTF-8\n');
    expect(await f.look()).toBe('a name in UTF-8\n');
    const errors = f.logged.filter(({ level }) => level === 'error');
    expect(errors.map(({ fields }) => String(fields['path'])).toSorted()).toEqual([
      at('b\ufffdd.log'),
      at('d\ufffdr'),
    ]);
    for (const { message } of errors) expect(message).toMatch(/not valid UTF-8; rename it/);
  });
});

describe('what is not a log file', () => {
  test('a directory that a glob matches in passing is left alone', async () => {
    const { f, write, at } = await setUp();
    await mkdir(at('app.log.d'));
    await write('app.log', 'one\n');
    expect(await f.look()).toBe('one\n');
    expect(f.logged.filter((line) => line.level === 'error')).toEqual([]);
  });

  test('a directory where a file was named is said with what to write instead', async () => {
    const { f, at } = await setUp({ include: ['logs'] });
    await mkdir(at('logs'));
    await f.look();
    const [error] = f.logged.filter((line) => line.level === 'error');
    expect(error!.message).toContain(join(at('logs'), '*'));
  });

  test('a pipe under a glob is said with what to do, and alarms nobody; one that was asked for by its name does', async () => {
    const { f, write, at } = await setUp({ include: ['*.log', 'named.pipe'] });
    await makeFifo(at('app.log'));
    await makeFifo(at('named.pipe'));
    await write('other.log', 'one\n');
    expect(await f.look()).toBe('one\n');
    const said = f.logged.filter(({ level }) => level === 'warn' || level === 'error');
    expect(said.map(({ level, fields }) => `${level} ${String(fields['path'])}`).toSorted()).toEqual([
      `error ${at('named.pipe')}`,
      `warn ${at('app.log')}`,
    ]);
    for (const { message } of said) expect(message).toMatch(/not a regular file.*files\.exclude/);
  });

  test('a file that is replaced by a pipe between the look at its name and its opening holds nothing up', async () => {
    const replaced = new Set<string>();
    const open: FileSystem['open'] = async (path) => {
      if (replaced.delete(path)) {
        await unlink(path);
        await makeFifo(path);
      }
      return nodeFileSystem.open(path);
    };
    const { f, write, at } = await setUp({ fs: { ...nodeFileSystem, open } });
    await write('app.log', 'one\n');
    await write('other.log', 'other\n');
    replaced.add(at('app.log'));
    expect(await f.look()).toBe('other\n');
    expect([...f.files.all].map(({ state }) => state.path)).toEqual([at('other.log')]);
  });

  const SUCCESSORS: [what: string, make: (path: string) => Promise<unknown>][] = [
    ['a directory', mkdir],
    ['a pipe', makeFifo],
    ['a link to itself', (path) => symlink(path, path)],
  ];
  test.each(SUCCESSORS)(
    'a file whose name %s has taken is read to its end and let go',
    async (_, makeSuccessor) => {
      const { f, write, at } = await setUp();
      await write('app.log', 'one\nhalf');
      expect(await f.look()).toBe('one\n');
      await unlink(at('app.log'));
      await makeSuccessor(at('app.log'));
      expect(await f.idle(20_000)).toBe('half');
      expect([...f.files.all]).toEqual([]);
    },
  );

  test('excluded files are not read', async () => {
    const { f, write } = await setUp({ exclude: ['*.gz'] });
    await write('app.log', 'one\n');
    await write('app.log.1.gz', 'compressed\n');
    expect(await f.look()).toBe('one\n');
  });
});

describe('a file that cannot be read', () => {
  /** The real file system, but some paths fail to open: root may read everything. */
  function refusing(paths: Set<string>, code: string): FileSystem {
    return {
      ...nodeFileSystem,
      open: async (path) => {
        if (paths.has(path)) throw Object.assign(new Error(`${code}: ${path}`), { code });
        return nodeFileSystem.open(path);
      },
    };
  }

  test.each(['EACCES', 'EMFILE', 'EIO'])('%s: said once, and read when that is over', async (code) => {
    const directory = await tempDir();
    const log = join(directory, 'app.log');
    await writeFile(log, 'one\n');
    await writeFile(join(directory, 'other.log'), 'other\n');
    const refused = new Set([log]);
    const f = await follower(directory, { fs: refusing(refused, code) });
    expect(await f.look()).toBe('other\n');
    await f.idle(5_000);
    expect(f.logged.filter((line) => line.level === 'error')).toHaveLength(1);
    refused.clear();
    expect((await f.look()) + (await f.idle(1_000))).toBe('one\n');
  });

  test('more files than may be open: each gets its turn, and none is open beyond the bound', async () => {
    const directory = await tempDir();
    let open = 0;
    let mostOpen = 0;
    const counting: FileSystem = {
      ...nodeFileSystem,
      open: async (path) => {
        const handle = await nodeFileSystem.open(path);
        open += 1;
        mostOpen = Math.max(mostOpen, open);
        const close = (): Promise<void> => {
          open -= 1;
          return handle.close();
        };
        return { ...handle, close };
      },
    };
    const f = await follower(directory, { fs: counting, maxOpenFiles: 3, chunkBytes: 64 });
    const names = Array.from({ length: 20 }, (_, i) => `${10 + i}`);
    const text = (name: string, round: number): string => `${name} round ${round}\n`.repeat(20);
    for (let round = 0; round < 3; round += 1) {
      for (const name of names) await appendFile(join(directory, `${name}.log`), text(name, round));
      const lines = (await f.look()).split('\n').toSorted().join('\n');
      expect(lines.trim()).toBe(
        names
          .map((name) => text(name, round))
          .join('')
          .trim(),
      );
    }
    expect(mostOpen).toBe(3);
    expect(f.lost).toEqual([]);
  });

  test('one that was deleted a moment ago, unnoticed and unread, is not closed for the sake of others', async () => {
    let exhausted = false;
    const open: FileSystem['open'] = async (path) => {
      if (exhausted && path.endsWith('b.log')) {
        exhausted = false;
        await unlink(path.replace('b.log', 'a.log'));
        throw Object.assign(new Error(`EMFILE: ${path}`), { code: 'EMFILE' });
      }
      return nodeFileSystem.open(path);
    };
    const { f, write } = await setUp({ fs: { ...nodeFileSystem, open } });
    await write('a.log', 'a1\n');
    await f.poll(); // seen, not read
    await write('b.log', 'b1\n');
    exhausted = true;
    await f.poll();
    expect((await f.readOn()) + (await f.idle(2_000))).toBe('a1\nb1\n');
  });

  test('one that was closed for others, and left the globs before its lines were in a batch, is not read twice', async () => {
    const { f, write, at } = await setUp({ include: ['*.log'], maxOpenFiles: 1 });
    await write('a.log', 'a1\n');
    f.holdIntents();
    expect(await f.look()).toBe('a1\n');
    await write('b.log', 'b1\n');
    expect(await f.look()).toBe('b1\n');
    await rename(at('a.log'), at('a.old'));
    expect(await f.idle(130_000)).toBe('');
    f.intend();
    expect(await f.idle(130_000)).toBe('');
    await appendFile(at('a.old'), 'a2\n');
    expect(await f.idle(130_000)).toBe('a2\n');
  });

  test('more deleted files with a backlog than may be open: further ones wait for them, said once', async () => {
    const { f, write, at } = await setUp({ maxOpenFiles: 2 });
    for (const name of ['a', 'b']) await write(`${name}.log`, `${name}\n`);
    await f.poll(); // seen, not read
    for (const name of ['a', 'b']) await unlink(at(`${name}.log`));
    for (const name of ['c', 'd']) await write(`${name}.log`, `${name}\n`);
    for (let looks = 0; looks < 3; looks += 1) await f.poll();
    expect(f.logged.filter((line) => line.level === 'error')).toHaveLength(1);
    const text = (await f.readOn()) + (await f.idle(20_000));
    expect(text).toBe('a\nb\nc\nd\n');
  });
});

describe('deleted and made again under the same name', () => {
  // Many file systems give the new file the inode of the old one.
  test.each(['shorter', 'as long', 'longer'] as const)(
    '%s than before, while the agent looks on',
    async (length) => {
      const { f, write, at } = await setUp();
      const fresh = { shorter: 'b\n', 'as long': 'b1b1b1\n', longer: 'b1b1b1\nb2\n' }[length];
      await write('app.log', 'a1a1a1\n');
      await f.look();
      await unlink(at('app.log'));
      await f.look();
      await write('app.log', fresh);
      expect(await f.look()).toBe(fresh);
    },
  );

  test.each(['shorter', 'as long', 'longer'] as const)(
    '%s than before, between two looks',
    async (length) => {
      const { f, write, at } = await setUp();
      const fresh = { shorter: 'b\n', 'as long': 'b1b1b1\n', longer: 'b1b1b1\nb2\n' }[length];
      await write('app.log', 'a1a1a1\n');
      await f.look();
      await write('app.log', 'a2\n'); // not read yet: it comes through the open file
      await unlink(at('app.log'));
      await write('app.log', fresh);
      expect((await f.look()).split('\n').toSorted()).toEqual(`a2\n${fresh}`.split('\n').toSorted());
    },
  );

  test.each(['shorter', 'as long', 'longer'] as const)(
    '%s than before, while the agent is down',
    async (length) => {
      const { f, write, at } = await setUp();
      const fresh = { shorter: 'b\n', 'as long': 'b1b1b1\n', longer: 'b1b1b1\nb2\n' }[length];
      await write('app.log', 'a1a1a1\n');
      await f.look();
      await f.restart(async () => {
        await unlink(at('app.log'));
        await write('app.log', fresh);
      });
      expect(await f.look()).toBe(fresh);
    },
  );
});
