import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partRanges, piecesBetween } from '../../../../transporter/store/part-ranges.ts';

const MIB = 1024 * 1024;

describe('partRanges', () => {
  it('cuts into parts of one size and a rest', () => {
    expect(partRanges(17, 8)).toEqual([
      { start: 0, end: 8 },
      { start: 8, end: 16 },
      { start: 16, end: 17 },
    ]);
  });

  it('keeps to the 10,000 parts that S3 takes, with larger ones', () => {
    const ranges = partRanges(200_000 * MIB, 8 * MIB);
    expect(ranges.length).toBeLessThanOrEqual(10_000);
    expect(ranges.at(-1)?.end).toBe(200_000 * MIB);
  });
});

describe('piecesBetween', () => {
  it('gives the bytes of a range, wherever the parts begin and end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 10 }), { maxLength: 6 }),
        fc.nat(60),
        fc.nat(60),
        (parts, a, b) => {
          const all = Buffer.concat(parts);
          const [start, end] = [Math.min(a, b, all.length), Math.min(Math.max(a, b), all.length)];
          const pieces = piecesBetween(parts, start, end);
          expect(Buffer.concat(pieces).equals(all.subarray(start, end))).toBe(true);
        },
      ),
    );
  });

  it('does not copy', () => {
    const parts = [new Uint8Array([1, 2, 3, 4]), new Uint8Array([5, 6])];
    expect(piecesBetween(parts, 1, 5).map(({ buffer }) => buffer)).toEqual(parts.map(({ buffer }) => buffer));
    expect(piecesBetween(parts, 1, 5)[0]!.buffer).toBe(parts[0]!.buffer);
  });
});
