import { execFileSync } from 'node:child_process';
import { appendFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { tempDir } from '../../../support/temp-dir.ts';
import { follower } from './follower.ts';

test('a rotated file that is gzip’d and matches the globs: not a byte of it is sent, and that is said once', async () => {
  const directory = await tempDir();
  const at = (name: string): string => join(directory, name);
  const f = await follower(directory);
  await appendFile(at('app.log'), 'a1\n');
  expect(await f.look()).toBe('a1\n');
  await appendFile(at('app.log'), 'a2\n');
  await rename(at('app.log'), at('app.log.1'));
  await appendFile(at('app.log'), 'b1\n');
  execFileSync('gzip', [at('app.log.1')]);
  expect((await f.idle(30_000)).split('\n').toSorted().join(' ').trim()).toBe('a2 b1');
  await f.restart();
  expect(await f.idle(30_000)).toBe('');
  expect(f.lost).toEqual([]);
  expect(f.logged.filter(({ level }) => level === 'warn' || level === 'error')).toHaveLength(2); // once for each start
});

test('an archive that is being written, looked at after its first byte', async () => {
  const directory = await tempDir();
  const archive = join(directory, 'app.log.1.gz');
  const bytes = gzipSync('a line\n'.repeat(1_000));
  const f = await follower(directory);
  for (const length of [0, 1, 2, 9, bytes.length]) {
    await writeFile(archive, bytes.subarray(0, length));
    expect(await f.look()).toBe('');
  }
  expect(await f.idle(30_000)).toBe('');
  await unlink(archive);
  await f.idle(30_000);
  expect([...f.files.all]).toEqual([]);
});
