import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type FileSystem, nodeFileSystem } from '../../../../agent/discover/file-system.ts';
import { lookAtPaths } from '../../../../agent/discover/paths-now.ts';
import { tempDir } from '../../../support/temp-dir.ts';

async function scan(fs: FileSystem, include: string[], exclude: string[]) {
  const { paths } = await fs.glob(include, exclude, () => Promise.resolve());
  const { found: files, refused } = await lookAtPaths(fs, paths);
  return { files, refused };
}

describe('one look', () => {
  test('gives regular files, the least recently written first, equal times by name', async () => {
    const directory = await tempDir();
    for (const [name, seconds] of [
      ['c.log', 100],
      ['a.log', 300],
      ['b.log', 100],
    ] as const) {
      await writeFile(join(directory, name), 'x');
      await utimes(join(directory, name), seconds, seconds);
    }
    const { files, refused } = await scan(nodeFileSystem, [join(directory, '*.log')], []);
    expect(files.map((file) => file.path)).toEqual(
      ['b.log', 'c.log', 'a.log'].map((name) => join(directory, name)),
    );
    expect(refused).toEqual([]);
  });

  test('knows a file by device and inode, the same under every name and through a link', async () => {
    const directory = await tempDir();
    await writeFile(join(directory, 'real.log'), 'x');
    await symlink(join(directory, 'real.log'), join(directory, 'link.log'));
    const { files } = await scan(nodeFileSystem, [join(directory, '*.log')], []);
    expect(files).toHaveLength(2);
    expect(new Set(files.map((file) => file.stat.key)).size).toBe(1);
  });

  test('globs with several stars, braces and hidden files match; excludes win', async () => {
    const directory = await tempDir();
    await mkdir(join(directory, 'x', 'y'), { recursive: true });
    for (const name of ['x/y/a.log', 'x/b.txt', '.hidden.log', 'x/y/skip.log']) {
      await writeFile(join(directory, name), 'x');
    }
    const { files } = await scan(
      nodeFileSystem,
      [join(directory, '**', '*.{log,txt}')],
      [join(directory, '**', 'skip.*')],
    );
    const names = files.map((file) => file.path.slice(directory.length + 1));
    expect(names.toSorted()).toEqual(['.hidden.log', 'x/b.txt', 'x/y/a.log']);
  });

  test('a directory that does not exist is no error: it may come', async () => {
    const nowhere = join(await tempDir(), 'later', '*.log');
    expect(await scan(nodeFileSystem, [nowhere], [])).toEqual({ files: [], refused: [] });
  });

  test('a link to a socket is no file: it has no bytes to read again', async () => {
    const directory = await tempDir();
    const server = createServer().listen(join(directory, 'socket'));
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const path = join(directory, 'app.log');
    await symlink(join(directory, 'socket'), path);
    const now = await lookAtPaths(nodeFileSystem, [path]);
    expect(now.found).toEqual([]);
    expect(now.refused).toEqual([]);
    expect(now.others).toEqual([{ path, reason: 'it is not a regular file' }]);
  });

  test.each([
    ['EACCES', /permission/],
    ['EPERM', /permission/],
    ['EIO', /EIO/],
  ])(
    'a path that cannot be looked at for %s is refused with its reason, the others are found',
    async (code, reason) => {
      const directory = await tempDir();
      const bad = join(directory, 'bad.log');
      for (const path of [bad, join(directory, 'good.log')]) await writeFile(path, 'x');
      const fs: FileSystem = {
        ...nodeFileSystem,
        stat: async (path) => {
          if (path === bad) throw Object.assign(new Error(`${code}: ${path}`), { code });
          return nodeFileSystem.stat(path);
        },
      };
      const { files, refused } = await scan(fs, [join(directory, '*.log')], []);
      expect(files.map((file) => file.path)).toEqual([join(directory, 'good.log')]);
      expect(refused.map(({ path }) => path)).toEqual([bad]);
      expect(refused[0]!.reason).toMatch(reason);
    },
  );

  test('a file that vanishes between the listing and the look is nobody’s business', async () => {
    const directory = await tempDir();
    const fs: FileSystem = {
      ...nodeFileSystem,
      glob: () => Promise.resolve({ paths: [join(directory, 'vanished.log')], unreadable: [], misnamed: [] }),
    };
    expect(await scan(fs, ['x'], [])).toEqual({ files: [], refused: [] });
  });
});
