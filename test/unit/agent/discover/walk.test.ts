import { execFile } from 'node:child_process';
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type DirectoryChange, nodeFileSystem } from '../../../../agent/discover/file-system.ts';
import { parseGlobs } from '../../../../agent/discover/globs.ts';
import { walk } from '../../../../agent/discover/walk.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { waitFor } from '../../../support/wait-for.ts';

async function tree(files: readonly string[]) {
  const directory = await tempDir();
  for (const file of files) {
    await mkdir(dirname(join(directory, file)), { recursive: true });
    await writeFile(join(directory, file), 'x');
  }
  const look = async (include: readonly string[], exclude: readonly string[] = []) => {
    const entered: string[] = [];
    const absolute = (globs: readonly string[]): string[] => globs.map((glob) => join(directory, glob));
    const { paths, unreadable } = await walk(absolute(include), absolute(exclude), async (path) => {
      entered.push(path);
    });
    const relative = (list: string[]): string[] =>
      list.map((path) => path.slice(directory.length + 1)).toSorted();
    return {
      paths: relative(paths),
      entered: relative(entered),
      unreadable: relative(unreadable.map(({ path }) => path)),
      reasons: unreadable.map(({ reason }) => reason),
    };
  };
  return { directory, at: (path: string) => join(directory, path), look };
}

describe('what the globs match, and the directories in which a match can appear', () => {
  const FILES = ['a.log', 'b.txt', 'x/c.log', 'x/y/d.log', 'x/y/e.txt', 'z/deep/er/f.log', '.hidden.log'];

  // What bash gives for these with globstar and dotglob (bash(1), Pathname Expansion).
  test.each<[string, string[], string[], string[]]>([
    ['a star in the last place', ['*.log'], ['.hidden.log', 'a.log'], ['']],
    ['a path', ['x/c.log'], ['x/c.log'], ['x']],
    ['a star for a directory', ['*/c.log'], ['x/c.log'], ['', 'x', 'z']],
    ['two stars', ['x/**/*.log'], ['x/c.log', 'x/y/d.log'], ['x', 'x/y']],
    [
      'two stars at the end',
      ['z/**'],
      ['z', 'z/deep', 'z/deep/er', 'z/deep/er/f.log'],
      ['', 'z', 'z/deep', 'z/deep/er'],
    ],
    ['braces', ['x/y/*.{log,txt}'], ['x/y/d.log', 'x/y/e.txt'], ['x/y']],
    ['braces with a slash', ['{x/y,z}/*.log'], ['x/y/d.log'], ['', 'x', 'x/y', 'z', 'z/deep', 'z/deep/er']],
    ['a directory that is not there yet', ['later/on/*.log'], [], ['']],
    ['one of two', ['*.txt', 'x/y/*.log'], ['b.txt', 'x/y/d.log'], ['', 'x/y']],
  ])('%s', async (_, include, paths, entered) => {
    const { look } = await tree(FILES);
    expect(await look(include)).toEqual({ paths, entered, unreadable: [], reasons: [] });
  });

  test('a whole tree that is excluded is not looked into', async () => {
    const { look } = await tree(FILES);
    const { paths, entered } = await look(['**/*.log'], ['z/**']);
    expect(paths).toEqual(['.hidden.log', 'a.log', 'x/c.log', 'x/y/d.log']);
    expect(entered).toEqual(['', 'x', 'x/y']);
  });

  test('links to directories are followed, and a link that leads back is not', async () => {
    const { look, at } = await tree(['x/a.log', 'outside/b.log']);
    await symlink(at('outside'), at('x/out'));
    await symlink(at('x'), at('x/back'));
    await symlink(at('outside/b.log'), at('x/link.log'));
    await symlink(at('nowhere'), at('x/dangling'));
    expect(await look(['x/**/*.log'])).toMatchObject({
      paths: ['x/a.log', 'x/link.log', 'x/out/b.log'],
    });
  });

  test('a name with special characters is found when it is escaped', async () => {
    const { look } = await tree(['odd [1]/a (2).log', 'odd 1/a.log']);
    expect((await look(['odd \\[1\\]/a \\(2\\).log'])).paths).toEqual(['odd [1]/a (2).log']);
  });

  test('a directory that the system cannot list is said with the reason, and the others are looked into', async () => {
    const { look, at } = await tree(['a.log', 'z/b.log']);
    // Absolute paths have at most 4,095 bytes (PATH_MAX); relative ones lead deeper.
    const name = 'd'.repeat(250);
    const script = 'cd "$1" && for i in $(seq 17); do mkdir "$2" && cd "$2"; done && : > c.log';
    await promisify(execFile)('bash', ['-c', script, '-', at(''), name]);
    onTestFinished(async () => void (await promisify(execFile)('rm', ['-rf', at(name)])));
    const { paths, unreadable, reasons } = await look(['**/*.log']);
    expect(paths).toEqual(['a.log', 'z/b.log']);
    expect(unreadable).toHaveLength(1);
    expect(unreadable[0]).toContain(name);
    expect(reasons).toEqual([expect.stringContaining('ENAMETOOLONG')]);
  });

  test('a link of which the system cannot tell where it leads is said, and the others go on', async () => {
    const { look, at } = await tree(['a.log', 'z/b.log']);
    await symlink('n'.repeat(300), at('link')); // a name has at most 255 bytes (NAME_MAX)
    const { paths, unreadable, reasons } = await look(['**/*.log']);
    expect(paths).toEqual(['a.log', 'z/b.log']);
    expect(unreadable).toEqual(['link']);
    expect(reasons).toEqual([expect.stringContaining('ENAMETOOLONG')]);
  });

  // Root may list everything, so the test can only be made by somebody else.
  test.skipIf(process.getuid?.() === 0)('a directory that may not be listed is said', async () => {
    const { look, at } = await tree(['x/a.log', 'y/b.log']);
    await chmod(at('x'), 0o000);
    const found = await look(['*/*.log']);
    await chmod(at('x'), 0o700);
    expect(found).toMatchObject({ paths: ['y/b.log'], unreadable: ['x'] });
  });
});

test('which paths can have matches below them', () => {
  const globs = parseGlobs(['/a/*/c/*.log', '/d/**/*.log'], ['/d/old/**']);
  const yes = ['/', '/a', '/a/b', '/a/b/c', '/d', '/d/x', '/d/x/y'];
  const no = ['/b', '/a/b/d', '/a/b/c/x.log', '/a/b/c/d', '/d/old', '/d/old/x'];
  expect(yes.filter((path) => !globs.leadsTo(path))).toEqual([]);
  expect(no.filter((path) => globs.leadsTo(path))).toEqual([]);
});

describe('a watched directory', () => {
  async function watched() {
    const { directory, at } = await tree(['logs/app.log']);
    const changes: DirectoryChange[] = [];
    const watch = await nodeFileSystem.watch(at('logs'), (change) => changes.push(change));
    const told = async (what: DirectoryChange['what'], name?: string): Promise<string> => {
      await waitFor(
        () => changes.some((change) => change.what === what && change.name === name) || undefined,
        {
          timeoutMs: 5_000,
          what: `${what} ${name} among ${JSON.stringify(changes)}`,
        },
      );
      return 'told';
    };
    return { directory, at, watch, told };
  }

  test('tells of what is written, created, renamed and removed in it', async () => {
    const { at, watch, told } = await watched();
    await writeFile(at('logs/app.log'), 'more');
    expect(await told('written', 'app.log')).toBe('told');
    await writeFile(at('logs/new.log'), 'x');
    expect(await told('named', 'new.log')).toBe('told');
    await rename(at('logs/app.log'), at('logs/app.log.1'));
    expect(await told('named', 'app.log.1')).toBe('told');
    watch.close();
    watch.close();
  });

  test.each([
    ['removed', (path: string) => rm(path, { recursive: true })],
    ['renamed', (path: string) => rename(path, `${path}.away`)],
  ])('tells when it is %s itself', async (_, take) => {
    const { at, told } = await watched();
    await take(at('logs'));
    expect(await told('gone')).toBe('told');
  });

  test('that is not there cannot be watched', async () => {
    const nowhere = join(await tempDir(), 'nowhere');
    await expect(nodeFileSystem.watch(nowhere, () => {})).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
