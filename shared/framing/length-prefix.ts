import type { LengthPrefixedFraming } from './framing.ts';
import type { VisitRecord } from './walk-lines.ts';

/** The length that stands at `at`, as an unsigned number: a negative one is then a very large one. */
export function readLength(bytes: Buffer, at: number, framing: LengthPrefixedFraming): number {
  const isBig = framing.byteOrder === 'big-endian';
  if (framing.prefixSize === 8) return Number(isBig ? bytes.readBigUInt64BE(at) : bytes.readBigUInt64LE(at));
  return isBig ? bytes.readUIntBE(at, framing.prefixSize) : bytes.readUIntLE(at, framing.prefixSize);
}

/**
 * Calls `visit` for each record of `bytes`, which begin with the last `insideBytes` bytes of a record, or with a length
 * when that is 0. A last record of which only the beginning is there is visited with what is there of it.
 */
export function walkFrames(
  bytes: Buffer,
  insideBytes: number,
  framing: LengthPrefixedFraming,
  visit: VisitRecord,
): void {
  let at = 0;
  if (insideBytes > 0 && bytes.length > 0) {
    at = Math.min(insideBytes, bytes.length);
    visit(0, at, at);
  }
  while (at + framing.prefixSize <= bytes.length) {
    const valueStart = at + framing.prefixSize;
    const end = Math.min(bytes.length, valueStart + readLength(bytes, at, framing));
    visit(valueStart, end, end);
    at = end;
  }
}
