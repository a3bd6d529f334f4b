import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { existingInput, generateInput } from '../../../bench/input.ts';
import { tempDir } from '../../support/temp-dir.ts';

const BYTES = 5_000_000;

test('a generated file holds what is said of it, the same again for the same seed, and compresses as access logs do', async () => {
  const directory = await tempDir();
  const path = (name: string): string => join(directory, name);
  const input = await generateInput(path('one'), BYTES, 7);
  expect(input.bytes).toBe((await stat(path('one'))).size);
  expect(input.bytes).toBeGreaterThanOrEqual(BYTES);
  const text = await readFile(path('one'), 'latin1');
  expect(input.lines).toBe(text.split('\n').length - 1);
  expect(text).toMatch(/^[\x20-\x7e\n]*\n$/);
  const combined =
    /^[\d.]+ - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "[A-Z]+ \S+ HTTP\/1\.1" \d{3} \d+ "[^"]+" "[^"]+" \d+$/;
  expect(
    text
      .trimEnd()
      .split('\n')
      .filter((line) => !combined.test(line)),
  ).toEqual([]);

  expect((await generateInput(path('again'), BYTES, 7)).digest).toEqual(input.digest);
  expect((await generateInput(path('other'), BYTES, 8)).digest.sum).not.toBe(input.digest.sum);
  expect(await existingInput(path('one'))).toEqual({ ...input, file: path('one') });

  // gzip made 9 to 14 of a server's logs (https://stefanseidel.info/Log_file_compression); these are somewhat harder. Random
  // lines, and lines that are all alike, are far from that.
  const ratio = input.bytes / gzipSync(text).length;
  expect(ratio).toBeGreaterThan(7);
  expect(ratio).toBeLessThan(12);
});

test.each([
  ['no line at all', ''],
  ['a last line without a line break', 'one\ntwo'],
])('a file of %s is refused, because programs differ in what they make of it', async (_, text) => {
  const file = join(await tempDir(), 'own.log');
  await writeFile(file, text);
  await expect(existingInput(file)).rejects.toThrow(/own\.log must end with a line break/);
});
