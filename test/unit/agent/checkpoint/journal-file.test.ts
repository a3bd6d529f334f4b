import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openJournalFile } from '../../../../agent/checkpoint/journal-file.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

async function setUp() {
  const directory = join(await tempDir(), 'pipelines', 'app');
  const path = join(directory, 'journal');
  return { directory, path, file: await openJournalFile(path) };
}

describe('the journal on disk', () => {
  test('the first time: its directory is made, and there is nothing in it', async () => {
    const { file, directory } = await setUp();
    expect(await file.read()).toHaveLength(0);
    expect(await readdir(directory)).toEqual([]);
  });

  test('what is appended is in the file, across a close', async () => {
    const { file, path } = await setUp();
    await file.append(Buffer.from('one\n'));
    await file.append(Buffer.from('two\n'));
    await file.sync();
    await file.close();
    const again = await openJournalFile(path);
    await again.append(Buffer.from('three\n'));
    expect(text(await again.read())).toBe('one\ntwo\nthree\n');
    await again.close();
  });

  test('appending after a replacement goes to the new file', async () => {
    const { file, path, directory } = await setUp();
    await file.append(Buffer.from('old\n'));
    await file.replace(Buffer.from('snapshot\n'));
    await file.append(Buffer.from('new\n'));
    await file.close();
    expect(await readFile(path, 'utf8')).toBe('snapshot\nnew\n');
    expect(await readdir(directory)).toEqual(['journal']);
  });

  test('a replacement that fails leaves the old content and no temporary file', async () => {
    const { file, path, directory } = await setUp();
    await file.append(Buffer.from('old\n'));
    await mkdir(`${path}.new`); // in the place of the temporary file, so that it cannot be opened
    await expect(file.replace(Buffer.from('snapshot\n'))).rejects.toMatchObject({ code: 'EISDIR' });
    expect(await readFile(path, 'utf8')).toBe('old\n');
    await rm(`${path}.new`, { recursive: true });
    await file.append(Buffer.from('more\n'));
    expect(await readFile(path, 'utf8')).toBe('old\nmore\n');
    await file.close();
    expect(await readdir(directory)).toEqual(['journal']);
  });

  test('a temporary file that a crash has left is written over', async () => {
    const { file, path } = await setUp();
    await writeFile(`${path}.new`, 'half a snapsh');
    await file.replace(Buffer.from('whole\n'));
    expect(await readFile(path, 'utf8')).toBe('whole\n');
    await file.close();
  });

  test('damaged bytes are kept beside it under their own name', async () => {
    const { file, path } = await setUp();
    await file.append(Buffer.from('good\n'));
    const aside = await file.setAside(Buffer.from('damaged\n'), 'damaged');
    expect(aside).toBe(`${path}.damaged`);
    expect(await readFile(aside, 'utf8')).toBe('damaged\n');
    expect(await readFile(path, 'utf8')).toBe('good\n');
    await file.close();
  });

  test('a path that cannot be read is said, not taken for an empty journal', async () => {
    const { path, file } = await setUp();
    await file.close();
    await mkdir(path);
    await expect((await openJournalFile(path)).read()).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
