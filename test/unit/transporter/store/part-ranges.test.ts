import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partRanges, sliceOf } from '../../../../transporter/store/part-ranges.ts';

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

describe('sliceOf', () => {
  it('gives the bytes of a range, wherever the parts begin and end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 10 }), { maxLength: 6 }),
        fc.nat(60),
        fc.nat(60),
        (parts, a, b) => {
          const all = Buffer.concat(parts);
          const [start, end] = [Math.min(a, b, all.length), Math.min(Math.max(a, b), all.length)];
          expect(Buffer.from(sliceOf(parts, start, end)).equals(all.subarray(start, end))).toBe(true);
        },
      ),
    );
  });

  it('does not copy what lies in one part', () => {
    const part = new Uint8Array([1, 2, 3, 4]);
    expect(sliceOf([part], 1, 3).buffer).toBe(part.buffer);
  });
});
