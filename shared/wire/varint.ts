import { wireCorrupt } from './wire-corrupt.ts';

/**
 * Zigzag base-128 numbers of Kafka's records: varint carries an int32, varlong an int64. Seven bits to a
 * byte, the lowest first, and the top bit says that more follow. Source: Kafka protocol guide, VARINT and
 * VARLONG; encoding of Protocol Buffers, sint32 and sint64.
 */
const MAX_VARINT_BYTES = 5;
const MAX_VARLONG_BYTES = 10;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** A reading position that the read functions advance; nothing at or after `limit` is read. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  limit: number;
}

/** Bytes that writeVarint takes for an int32. */
export function sizeOfVarint(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x20_0000) return 3;
  return zigzag < 0x1000_0000 ? 4 : 5;
}

/** Writes an int32 and returns the position after it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  while (zigzag >= 0x80) {
    bytes[at++] = (zigzag & 0x7f) | 0x80;
    zigzag >>>= 7;
  }
  bytes[at] = zigzag;
  return at + 1;
}

/** Bytes that writeVarlong takes for an int64. */
export function sizeOfVarlong(value: bigint): number {
  let size = 1;
  for (let rest = zigzagOf(value) >> 7n; rest !== 0n; rest >>= 7n) size++;
  return size;
}

/** Writes an int64 and returns the position after it. */
export function writeVarlong(bytes: Uint8Array, at: number, value: bigint): number {
  let zigzag = zigzagOf(value);
  while (zigzag >= 0x80n) {
    bytes[at++] = Number(zigzag & 0x7fn) | 0x80;
    zigzag >>= 7n;
  }
  bytes[at] = Number(zigzag);
  return at + 1;
}

/**
 * An int32 of one to three bytes at a position, without a cursor, for loops that must be fast: its value is valueIn,
 * the number of its bytes sizeIn. 0 when it is longer, or not all there.
 */
export function shortVarint(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return (first << 2) | 1;
  const second = bytes[at + 1]!;
  if (second < 0x80) return (second << 9) | ((first & 0x7f) << 2) | 2;
  const third = bytes[at + 2]!;
  return third < 0x80 ? (third << 16) | ((second & 0x7f) << 9) | ((first & 0x7f) << 2) | 3 : 0;
}

export function sizeIn(short: number): number {
  return short & 3;
}

export function valueIn(short: number): number {
  return (short >>> 3) ^ -((short >>> 2) & 1);
}

/** Reads an int32. Throws WIRE_CORRUPT when the limit cuts it off, or when it does not fit 32 bits. */
export function readVarint(cursor: Cursor): number {
  const { bytes, limit } = cursor;
  const start = cursor.at;
  let zigzag = 0;
  let at = start;
  for (let shift = 0; ; shift += 7) {
    if (at >= limit) throw wireCorrupt(start, 'a varint that ends before the bytes do');
    const byte = bytes[at++]!;
    // Only four bits of the fifth byte are left of 32, and it must be the last.
    if (shift === 28 && byte > 0x0f)
      throw wireCorrupt(start, `a varint of at most ${MAX_VARINT_BYTES} bytes`);
    zigzag |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  cursor.at = at;
  return (zigzag >>> 1) ^ -(zigzag & 1);
}

/** Reads an int64. Throws WIRE_CORRUPT when the limit cuts it off, or when it does not fit 64 bits. */
export function readVarlong(cursor: Cursor): bigint {
  const { bytes, limit } = cursor;
  const start = cursor.at;
  let zigzag = 0n;
  let at = start;
  for (let count = 1; ; count++) {
    if (at >= limit) throw wireCorrupt(start, 'a varlong that ends before the bytes do');
    const byte = bytes[at++]!;
    // Only one bit of the tenth byte is left of 64, and it must be the last.
    if (count === MAX_VARLONG_BYTES && byte > 0x01) {
      throw wireCorrupt(start, `a varlong of at most ${MAX_VARLONG_BYTES} bytes`);
    }
    zigzag |= BigInt(byte & 0x7f) << BigInt(7 * (count - 1));
    if (byte < 0x80) break;
  }
  cursor.at = at;
  return (zigzag >> 1n) ^ -(zigzag & 1n);
}

/**
 * Reads an int64 as a number. Four bytes or fewer, which is every delta within 37 hours, are read without a
 * bigint. Throws WIRE_CORRUPT also beyond 2^53 - 1 either way, where a number is no longer exact.
 */
export function readSafeVarlong(cursor: Cursor): number {
  const { bytes, limit } = cursor;
  const start = cursor.at;
  let zigzag = 0;
  let at = start;
  for (let shift = 0; shift < 28 && at < limit; shift += 7) {
    const byte = bytes[at++]!;
    zigzag |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      cursor.at = at;
      return (zigzag >>> 1) ^ -(zigzag & 1);
    }
  }
  const value = readVarlong(cursor);
  if (value > MAX_SAFE || value < -MAX_SAFE) throw wireCorrupt(start, 'a number within 2^53');
  return Number(value);
}

function zigzagOf(value: bigint): bigint {
  return BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
}
