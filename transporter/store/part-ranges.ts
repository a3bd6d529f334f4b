/** S3 takes at most this many parts: docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MAX_PARTS = 10_000;

/**
 * Cuts `totalBytes` into parts of `partBytes`, or of more when there would be too many of them; the last may
 * be smaller.
 */
export function partRanges(totalBytes: number, partBytes: number): { start: number; end: number }[] {
  const size = Math.max(partBytes, Math.ceil(totalBytes / MAX_PARTS));
  const ranges: { start: number; end: number }[] = [];
  for (let start = 0; start < totalBytes; start += size) {
    ranges.push({ start, end: Math.min(start + size, totalBytes) });
  }
  return ranges;
}

/** Bytes [start, end) of the parts taken as one, where they lie. */
export function piecesBetween(parts: readonly Uint8Array[], start: number, end: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const part of parts) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, part.length);
    if (from < to) pieces.push(part.subarray(from, to));
    at += part.length;
  }
  return pieces;
}

export function totalBytes(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
