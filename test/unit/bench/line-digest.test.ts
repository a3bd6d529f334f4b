import { crc32 } from 'node:zlib';
import { array, assert, constantFrom, property, string } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSame, type LineDigest, LineDigester } from '../../../bench/line-digest.ts';

const digestOf = (...pieces: string[]): LineDigest => {
  const digester = new LineDigester();
  for (const piece of pieces) digester.add(Buffer.from(piece));
  return digester.digest;
};

describe('the digest of lines', () => {
  test('counts lines and their bytes, and adds up their CRC-32', () => {
    // 0xcbf43926 is the check value of CRC-32/ISO-HDLC for these nine digits (Williams, 1993).
    expect(digestOf('123456789\n')).toEqual({ lines: 1, bytes: 9, sum: 0xcbf43926 });
    expect(digestOf('123456789\n\n123456789\n')).toEqual({ lines: 3, bytes: 18, sum: 2 * 0xcbf43926 });
  });

  test('does not depend on the pieces in which they come', () => {
    const text = array(string({ unit: constantFrom('a', 'b', '\n'), maxLength: 9 }));
    assert(
      property(text, (pieces) => {
        expect(digestOf(...pieces)).toEqual(digestOf(pieces.join('')));
      }),
    );
  });

  test('does not depend on their order, and notices one that is missing, doubled, changed or joined to the next', () => {
    const whole = digestOf('one\ntwo\nthree\n');
    expect(isSame(digestOf('three\none\ntwo\n'), whole)).toBe(true);
    const others = [
      'one\ntwo\n',
      'one\ntwo\nthree\nthree\n',
      'one\ntwo\nthreE\n',
      'onetwo\nthree\n',
      'one\none\nthree\n',
    ];
    expect(others.filter((other) => isSame(digestOf(other), whole))).toEqual([]);
  });

  test('a line is what ends with a line feed; the rest is told', () => {
    const digester = new LineDigester();
    digester.add(Buffer.from('one\ntw'));
    expect(digester.digest).toEqual({ lines: 1, bytes: 3, sum: crc32('one') });
    expect(digester.restBytes).toBe(2);
  });
});
