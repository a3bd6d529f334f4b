import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { compressedFormat } from '../../../../agent/discover/compressed.ts';

test.each(['gzip', 'zstd', 'xz', 'bzip2'])('%s, as its own tool writes it', (tool) => {
  let bytes: Buffer;
  try {
    bytes = execFileSync(tool, ['-c'], { input: 'a line\n' });
  } catch {
    return; // not on this machine
  }
  expect(compressedFormat(bytes)).toBe(tool);
});

test('a file that has only begun cannot be told yet', () => {
  expect(compressedFormat(gzipSync('x').subarray(0, 2))).toBe('unsure');
  expect(compressedFormat(Buffer.from('B'))).toBe('unsure');
});

test.each(['', 'a line\n', 'BZ is how this line begins\n', '\x1fNo archive\n', '\0\0\0', '(\n'])(
  'text and other bytes are not compressed: %j',
  (text) => {
    expect(compressedFormat(Buffer.from(text, 'latin1'))).toBeUndefined();
  },
);
