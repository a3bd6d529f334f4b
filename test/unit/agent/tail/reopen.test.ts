import { appendFile, mkdir, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type FileSystem, nodeFileSystem, type OpenFile } from '../../../../agent/discover/file-system.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { follower } from './follower.ts';

// A batch that must be built again reads its lines again, wherever their file is by then.

async function contentOf(handle: OpenFile | undefined): Promise<string | undefined> {
  if (handle === undefined) return undefined;
  const bytes = Buffer.alloc(1_000);
  const count = await handle.read(bytes, 0, bytes.length, 0);
  await handle.close();
  return bytes.toString('utf8', 0, count);
}

async function setUp(fs?: FileSystem) {
  const directory = await tempDir();
  const log = join(directory, 'app.log');
  await writeFile(log, 'a1\na2\n');
  const f = await follower(directory, { include: ['*.log'], ...(fs !== undefined && { fs }) });
  await f.look();
  const id = [...f.files.all][0]!.state.id;
  return { directory, log, f, id };
}

test('a file under its name, and again after that', async () => {
  const { f, id } = await setUp();
  expect(await contentOf(await f.files.reopen(id))).toBe('a1\na2\n');
  expect(await contentOf(await f.files.reopen(id))).toBe('a1\na2\n');
});

test('a file that was renamed out of the globs, also after a restart', async () => {
  const { f, log, id } = await setUp();
  await rename(log, `${log}.1`);
  await writeFile(log, 'b1\n');
  expect(await contentOf(await f.files.reopen(id))).toBe('a1\na2\n');
  await f.restart();
  expect(await contentOf(await f.files.reopen(id))).toBe('a1\na2\n');
});

test('a file that is deleted, or moved to another directory, while it is followed', async () => {
  for (const take of [
    (log: string) => unlink(log),
    async (log: string) => {
      await mkdir(`${log}.d`);
      await rename(log, join(`${log}.d`, 'old'));
    },
  ]) {
    const { f, log, id } = await setUp();
    await take(log);
    expect(await contentOf(await f.files.reopen(id))).toBe('a1\na2\n');
    await f.scan();
    expect(await contentOf(await f.files.reopen(id))).toBe('a1\na2\n');
    // Closing what was reopened takes nothing away from the file that is being followed.
    const [file] = f.files.all;
    expect(await file!.handle!.read(Buffer.alloc(1), 0, 1, 0)).toBe(1);
  }
});

test('a file that is gone after a restart, and an id that was never given', async () => {
  const { f, log, id } = await setUp();
  await f.restart(() => unlink(log));
  await f.scan();
  expect(await f.files.reopen(id)).toBeUndefined();
  expect(await f.files.reopen('fd-1-999')).toBeUndefined();
});

test('a file whose directory was renamed, while the globs cannot be looked at: not gone until they were', async () => {
  let failing = false;
  const glob: FileSystem['glob'] = (...globs) =>
    failing
      ? Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }))
      : nodeFileSystem.glob(...globs);
  const directory = await tempDir();
  await mkdir(join(directory, 'a'));
  await writeFile(join(directory, 'a', 'app.log'), 'a1\na2\n');
  const f = await follower(directory, { include: ['*/app.log'], fs: { ...nodeFileSystem, glob } });
  await f.look();
  const { id } = [...f.files.all][0]!.state;
  failing = true;
  await f.restart(() => rename(join(directory, 'a'), join(directory, 'b')));
  await f.scan();
  await expect(f.files.reopen(id)).rejects.toThrow('globs');
  failing = false;
  await f.scan();
  expect(await contentOf(await f.files.reopen(id))).toBe('a1\na2\n');
});

test('a file whose directory was renamed after the last look at the names: not gone until they were looked at again', async () => {
  const directory = await tempDir();
  await mkdir(join(directory, 'a'));
  await writeFile(join(directory, 'a', 'app.log'), 'a1\na2\n');
  const f = await follower(directory, { include: ['*/app.log'] });
  await f.look();
  const { id } = [...f.files.all][0]!.state;
  await f.restart();
  await f.scan();
  await f.files.close(); // nothing holds it open
  await rename(join(directory, 'a'), join(directory, 'b'));
  await expect(f.files.reopen(id)).rejects.toThrow('renamed');
  await f.clock.advance(10);
  await f.scan();
  expect(await contentOf(await f.files.reopen(id))).toBe('a1\na2\n');
});

test('another file in the same place is not taken for it', async () => {
  const { f, log, id } = await setUp();
  await f.restart(() => writeFile(log, 'other lines, the same inode\n'));
  await f.scan();
  expect(await f.files.reopen(id)).toBeUndefined();
});

test('nor the new content of a file that was truncated', async () => {
  const { f, log, id } = await setUp();
  await writeFile(log, '');
  await f.look();
  await appendFile(log, 'b1\n');
  await f.look();
  expect(await f.files.reopen(id)).toBeUndefined();
});

test('a file that is renamed after it was found, and before it is opened: found again under its new name', async () => {
  let renames = 0;
  const fs: FileSystem = {
    ...nodeFileSystem,
    open: async (path) => {
      if (renames > 0) {
        renames -= 1;
        await rename(path, `${path}.1`);
      }
      return nodeFileSystem.open(path);
    },
  };
  const { f, id } = await setUp(fs);
  await f.restart();
  renames = 3;
  expect(await contentOf(await f.files.reopen(id))).toBe('a1\na2\n');
  expect(renames).toBe(0);
});

test.each([
  ['the file cannot be looked at', ['stat']],
  ['its directory cannot be listed', ['stat', 'list']],
])('%s: that is not to be gone', async (_, calls) => {
  let failing = false;
  const failIf = (call: string, path: string): void => {
    if (failing && calls.includes(call)) throw Object.assign(new Error(`EIO: ${path}`), { code: 'EIO' });
  };
  const fs: FileSystem = {
    ...nodeFileSystem,
    stat: async (path) => {
      if (path.endsWith('.log')) failIf('stat', path);
      return nodeFileSystem.stat(path);
    },
    list: async (path) => {
      failIf('list', path);
      return nodeFileSystem.list(path);
    },
  };
  const { f, id } = await setUp(fs);
  await f.restart();
  failing = true;
  await expect(f.files.reopen(id)).rejects.toMatchObject({ code: 'EIO' });
  failing = false;
  expect(await contentOf(await f.files.reopen(id))).toBe('a1\na2\n');
});
