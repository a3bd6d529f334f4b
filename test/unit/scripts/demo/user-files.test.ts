import { execFileSync } from 'node:child_process';
import { appendFile, chmod, link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { UsageError } from '../../../../scripts/demo/demo-error.ts';
import { closeUserFiles, openUserFiles } from '../../../../scripts/demo/user-files.ts';
import { tempDir } from '../../../support/temp-dir.ts';

async function open(...names: string[]) {
  const found = await openUserFiles(names);
  onTestFinished(() => closeUserFiles(found.files));
  return found;
}

async function refusalOf(...names: string[]): Promise<unknown> {
  return open(...names).catch((error: unknown) => error);
}

describe("opening the user's files", () => {
  test('a file, and the files directly in a directory, in the order of their names', async () => {
    const directory = await tempDir();
    await writeFile(join(directory, 'single.log'), 'one\n');
    await mkdir(join(directory, 'logs'));
    for (const name of ['b.log', 'a.log', '.hidden'])
      await writeFile(join(directory, 'logs', name), 'line\n');

    const { files, leftOut } = await open(join(directory, 'single.log'), join(directory, 'logs'));

    expect(files.map(({ name }) => name)).toEqual(
      ['single.log', 'logs/.hidden', 'logs/a.log', 'logs/b.log'].map((name) => join(directory, name)),
    );
    expect(leftOut).toEqual([]);
  });

  test('the size is the one of that moment', async () => {
    const path = join(await tempDir(), 'app.log');
    await writeFile(path, '12345');

    const { files } = await open(path);
    await appendFile(path, '678');

    expect(files[0]).toMatchObject({ sizeBytes: 5, path });
  });

  test('a file with several names is there once', async () => {
    const directory = await tempDir();
    const path = join(directory, 'app.log');
    await writeFile(path, 'one\n');
    await link(path, join(directory, 'hard.log'));
    await symlink(path, join(directory, 'soft.log'));

    const { files } = await open(path, join(directory, 'soft.log'), directory);

    expect(files).toHaveLength(1);
    expect(files[0]).toMatchObject({ path });
  });

  test('what a directory holds beside files is left out, with the reason', async () => {
    const directory = await tempDir();
    await writeFile(join(directory, 'app.log'), 'one\n');
    await mkdir(join(directory, 'older'));
    await symlink(join(directory, 'nowhere'), join(directory, 'dangling'));
    await symlink(join(directory, 'loop'), join(directory, 'loop'));
    execFileSync('mkfifo', [join(directory, 'pipe')]);

    const { files, leftOut } = await open(directory);

    expect(files.map(({ name }) => name)).toEqual([join(directory, 'app.log')]);
    expect(leftOut).toEqual([
      { name: join(directory, 'dangling'), reason: 'does not exist' },
      { name: join(directory, 'loop'), reason: 'its symbolic link leads to itself' },
      {
        name: join(directory, 'older'),
        reason: 'is a directory in a directory; name it as well to carry its files',
      },
      { name: join(directory, 'pipe'), reason: 'is not a regular file' },
    ]);
  });

  test('a path that is not there, and one through a file', async () => {
    const directory = await tempDir();
    await writeFile(join(directory, 'app.log'), 'one\n');
    const missing = join(directory, 'missing.log');
    const through = join(directory, 'app.log', 'x');

    expect(await refusalOf(missing)).toEqual(new UsageError(`${missing}: does not exist`));
    expect(await refusalOf(through)).toEqual(
      new UsageError(`${through}: a part of its path is not a directory`),
    );
  });

  test('a directory that is empty, or holds no file', async () => {
    const directory = await tempDir();

    expect(await refusalOf(directory)).toEqual(new UsageError(`${directory}: the directory is empty`));

    const inner = join(directory, 'inner');
    await mkdir(inner);
    expect(await refusalOf(directory)).toEqual(
      new UsageError(
        `${directory}: no file in the directory can be carried\n` +
          `  ${inner}: is a directory in a directory; name it as well to carry its files`,
      ),
    );
  });

  test('a special file that was named', async () => {
    expect(await refusalOf('/dev/null')).toEqual(new UsageError('/dev/null: is not a regular file'));
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be read', async () => {
    const path = join(await tempDir(), 'secret.log');
    await writeFile(path, 'one\n');
    await chmod(path, 0);

    expect(await refusalOf(path)).toEqual(new UsageError(`${path}: cannot be read: permission denied`));
  });

  test('more files than the demo opens', async () => {
    const directory = await tempDir();
    for (let index = 0; index <= 500; index++) await writeFile(join(directory, `${index}.log`), '');

    expect(await refusalOf(directory)).toEqual(new UsageError('more than 500 files; name fewer of them'));
  });
});
