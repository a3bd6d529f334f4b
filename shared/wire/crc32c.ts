import { crc32c as crc32cOf } from '@node-rs/crc32';

/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4) of bytes[start, end), unsigned. Pass the result for what came
 * before as `previous` to go on with it.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, previous = 0): number {
  return crc32cOf(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), previous);
}

/** That of all parts, as if they were joined. */
export function crc32cOfParts(parts: readonly Uint8Array[]): number {
  return parts.reduce((crc, part) => crc32c(part, 0, part.length, crc), 0);
}

/** As S3 has it in `x-amz-checksum-crc32c`: base64 of the four bytes, big-endian. */
export function crc32cBase64(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString('base64');
}
