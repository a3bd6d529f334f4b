/** Room that a batch needs beside its one record of the largest size: header, framing, provenance, and a codec that gains nothing. */
const BATCH_OVERHEAD_BYTES = 4096;

/**
 * The largest record that surely fits into one batch of a topic with this max.message.bytes, at most `maxRecordBytes`.
 * Under a limit so small that the overhead is most of it, a quarter: records of a few bytes would help nobody.
 */
export function recordLimit(maxRecordBytes: number, maxMessageBytes: number): number {
  const room = maxMessageBytes - BATCH_OVERHEAD_BYTES - Math.ceil(maxMessageBytes / 256);
  return Math.min(maxRecordBytes, Math.max(room, Math.floor(maxMessageBytes / 4)));
}
