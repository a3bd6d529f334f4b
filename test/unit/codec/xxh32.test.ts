import { expect, test } from 'vitest';
import { xxh32 } from '../../../shared/codec/xxh32.ts';
import { hasTool, pipeThrough } from '../../support/command-line-tools.ts';
import { noise, sampleText } from './sample-text.ts';

// From the test suites of xxHash and of its ports (seed 0); the last two are longer than a stripe of 16
// bytes.
test.each([
  ['', 0x02cc5d05],
  ['a', 0x550d7456],
  ['abc', 0x32d153ff],
  ['Nobody inspects the spammish repetition', 0xe2293b2f],
  ['123456789', 0x937bad67],
])('the hash of %j', (text, expected) => {
  expect(xxh32(Buffer.from(text))).toBe(expected);
});

test('a part of a larger buffer hashes like a copy of it', () => {
  const bytes = sampleText(1000);
  expect(xxh32(bytes, 3, 990)).toBe(xxh32(Buffer.from(bytes.subarray(3, 990))));
});

test.skipIf(!hasTool('lz4'))('the lz4 program writes the same content checksum for any length', () => {
  const lengths = [0, 1, 3, 4, 5, 15, 16, 17, 31, 32, 33, 100, 65_537];
  for (const content of lengths.flatMap((length) => [noise(length), sampleText(length)])) {
    const frame = pipeThrough('lz4', ['-c', '-q'], content);
    expect(xxh32(content), `${content.length} bytes`).toBe(frame.readUInt32LE(frame.length - 4));
  }
});
