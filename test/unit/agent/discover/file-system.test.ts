import { appendFile, statfs, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { nodeFileSystem, type OpenFile } from '../../../../agent/discover/file-system.ts';
import { isLocal } from '../../../../agent/discover/remote.ts';
import { tempDir } from '../../../support/temp-dir.ts';

async function opened(content: string): Promise<{ path: string; file: OpenFile }> {
  const path = join(await tempDir(), 'a.log');
  await writeFile(path, content);
  const file = await nodeFileSystem.open(path);
  onTestFinished(() => file.close());
  return { path, file };
}

/** Elsewhere nothing is done at once. */
const isHere = isLocal((await statfs(tmpdir())).type);

describe.runIf(isHere)('on a local file system', () => {
  test('what changes of a file is there at once, and the same as its stat', async () => {
    const { path, file } = await opened('one\n');
    expect(file.growthNow()).toBeUndefined(); // nobody knows yet what it is on
    await file.stat();
    for (const text of ['two\n', 'three\n']) {
      await appendFile(path, text);
      const seen = file.growthNow();
      const { sizeBytes, modifiedMs } = await file.stat();
      expect(seen).toEqual({ sizeBytes, modifiedMs });
    }
  });

  test('reads into two buffers, in one go, as far as the file goes', async () => {
    const { file } = await opened('0123456789');
    await file.stat();
    for (const read of [
      (first: Buffer, second: Buffer, at: number) => file.readBoth(first, second, at),
      (first: Buffer, second: Buffer, at: number) => file.readBothNow(first, second, at),
    ]) {
      const [first, second] = [Buffer.alloc(3, '.'), Buffer.alloc(4, '.')];
      expect(await read(first, second, 1)).toBe(7);
      expect([first.toString(), second.toString()]).toEqual(['123', '4567']);
      expect(await read(first, second, 6)).toBe(4);
      expect([first.toString(), second.toString()]).toEqual(['678', '9567']);
      expect(await read(first, second, 10)).toBe(0);
    }
  });

  test('what was not written lately may have to come from a disk: not at once', async () => {
    const { path, file } = await opened('old\n');
    await utimes(path, new Date(0), new Date(0));
    await file.stat();
    expect(file.readBothNow(Buffer.alloc(1), Buffer.alloc(1), 0)).toBeUndefined();
    const bytes = Buffer.alloc(4);
    expect(await file.read(bytes, 0, 4, 0)).toBe(4);
    expect(bytes.toString()).toBe('old\n');
  });

  test('many bytes: not at once, and the same', async () => {
    const { file } = await opened('x'.repeat(200_000));
    await file.stat();
    expect(file.readBothNow(Buffer.alloc(1_000), Buffer.alloc(100_000), 0)).toBeUndefined();
    expect(await file.readBoth(Buffer.alloc(1_000), Buffer.alloc(100_000), 0)).toBe(101_000);
  });

  test('a file that is closed: nothing at once, and an error for who asks', async () => {
    const { path, file } = await opened('one\n');
    await file.stat();
    await file.close();
    await truncate(path);
    expect(file.growthNow()).toBeUndefined();
    expect(file.readBothNow(Buffer.alloc(1), Buffer.alloc(1), 0)).toBeUndefined();
    await expect(file.read(Buffer.alloc(1), 0, 1, 0)).rejects.toMatchObject({ code: 'EBADF' });
  });
});
