import { expect, test } from 'vitest';
import type { FileState } from '../../../../agent/checkpoint/entries.ts';
import { fingerprintFrom } from '../../../../agent/discover/fingerprint.ts';
import { type LogFile, newLogFile } from '../../../../agent/tail/log-file.ts';
import { similarFiles } from '../../../../agent/tail/similar-files.ts';
import { memoryFile } from '../memory-file.ts';

function fileOf(path: string, content: string): LogFile {
  const fingerprint = fingerprintFrom(Buffer.from(content).subarray(0, 1024));
  const state: FileState = { id: path, key: path, path, fingerprint, offset: 0, skipping: false };
  const stat = {
    key: path,
    sizeBytes: content.length,
    modifiedMs: 0,
    isFile: true,
    isDirectory: false,
    links: 1,
  };
  return newLogFile(state, memoryFile(content), stat, 0);
}

const BANNER = '# a banner that many logs of one application begin with\n'.repeat(3);

test.each([
  ['the same kilobyte, and more', 'x'.repeat(2_000), 'x'.repeat(1_024), true],
  ['another kilobyte', 'x'.repeat(2_000), 'y'.repeat(1_024), false],
  ['a short file of which the other one is the beginning', `${BANNER}one\n`, BANNER, true],
  ['the beginning of a longer one', BANNER, `${BANNER}one\n`, true],
  ['the same banner, and then something else', `${BANNER}one\n`, `${BANNER}two\n`, false],
  ['a few bytes of a longer one', 'abc and so on, for more than sixteen bytes', 'abc', true],
  ['nothing yet', '', 'anything', true],
])('%s', (_, content, head, expected) => {
  const files = similarFiles();
  files.note(fileOf('a', content));
  expect([...files.beginningAs(Buffer.from(head))]).toHaveLength(expected ? 1 : 0);
});

test('a file that has grown is found by what it begins with now; one that was forgotten is not', () => {
  const files = similarFiles();
  const file = fileOf('a', 'one\n');
  files.note(file);
  file.state.fingerprint = fingerprintFrom(Buffer.from('two, after a truncation\n'));
  files.note(file);
  expect([...files.beginningAs(Buffer.from('one\nand more of it\n'))]).toEqual([]);
  expect([...files.beginningAs(Buffer.from('two, after a truncation\nmore\n'))]).toEqual([file]);
  files.forget(file);
  files.forget(file);
  expect([...files.beginningAs(Buffer.from('two, after a truncation\nmore\n'))]).toEqual([]);
});

test('among ten thousand files of the same length and lead, one is found by its hash', () => {
  const files = similarFiles();
  const many = Array.from({ length: 10_000 }, (_, i) => fileOf(`${i}`, `${BANNER}${10_000 + i}\n`));
  for (const file of many) files.note(file);
  const heads = many.map((_, i) => Buffer.from(`${BANNER}${10_000 + i}\n`));
  expect(heads.flatMap((head) => [...files.beginningAs(head)])).toEqual(many);
});
