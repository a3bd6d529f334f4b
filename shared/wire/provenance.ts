import { bufferView } from '../codec/views.ts';
import { crc32c } from './crc32c.ts';
import { type Cursor, readVarlong, sizeOfVarlong, writeVarlong } from './varint.ts';
import { wireCorrupt } from './wire-corrupt.ts';

/** The key of the header that carries a batch's provenance, on its first record only. */
export const PROVENANCE_HEADER = 'skald-provenance';

/** Bytes [start, end) of one file, and what they became. */
export interface ProvenanceRange {
  fileId: string;
  start: number;
  end: number;
  /** Records of the batch that come from this range, in order; the ranges follow each other. */
  records: number;
  /** Records of all batches that come from this range: with keys they lie in several partitions. Only with `slot`. */
  ofRecords?: number;
  /** CRC-32C of the file's raw bytes [start, end). */
  crc32c: number;
}

/** Where the records of a batch come from. */
export interface Provenance {
  host: string;
  pipeline: string;
  /** The batch has only those records of its ranges whose keys stand for this partition. */
  slot?: number;
  ranges: ProvenanceRange[];
}

const VERSION = 1;
/** Of a batch that has some of the records of its ranges. */
const KEYED_VERSION = 2;
const CRC_BYTES = 4;
/** Empty file id, start, length, records, CRC. */
const MIN_RANGE_BYTES = 8;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The header's value, version 1 or, with what stands in brackets, 2:
 *
 *   version u8 · host string · pipeline string · [slot varlong] · range count varlong
 *   for each range: file id string · start varlong · length varlong · records varlong · [of records varlong] ·
 *     CRC-32C u32 big endian
 *   CRC-32C u32 big endian of all bytes before, because a value outlives the batch whose CRC protects it
 *
 * varlong is Kafka's zigzag varlong, never negative here, at most 2^53 - 1; a string is its length in bytes
 * as a varlong and UTF-8.
 */
export function encodeProvenance(provenance: Provenance): Uint8Array {
  const bytes = Buffer.allocUnsafe(sizeOfProvenance(provenance));
  const { slot } = provenance;
  bytes[0] = slot === undefined ? VERSION : KEYED_VERSION;
  let at = writeString(bytes, 1, provenance.host);
  at = writeString(bytes, at, provenance.pipeline);
  if (slot !== undefined) at = writeCount(bytes, at, slot);
  at = writeCount(bytes, at, provenance.ranges.length);
  for (const range of provenance.ranges) {
    at = writeString(bytes, at, range.fileId);
    at = writeCount(bytes, at, range.start);
    at = writeCount(bytes, at, range.end - range.start);
    at = writeCount(bytes, at, range.records);
    if (slot !== undefined) at = writeCount(bytes, at, range.ofRecords ?? range.records);
    at = bytes.writeUInt32BE(range.crc32c, at);
  }
  bytes.writeUInt32BE(crc32c(bytes, 0, at), at);
  return bytes;
}

/** The provenance in a header's value. Throws WIRE_CORRUPT for an unknown version and for any damage. */
export function decodeProvenance(value: Uint8Array): Provenance {
  const bytes = bufferView(value);
  const end = bytes.length - CRC_BYTES;
  const isKeyed = bytes[0] === KEYED_VERSION;
  if (bytes[0] !== VERSION && !isKeyed)
    throw wireCorrupt(0, `provenance of version ${VERSION} or ${KEYED_VERSION}`);
  if (end < 1 || bytes.readUInt32BE(end) !== crc32c(bytes, 0, end)) {
    throw wireCorrupt(Math.max(0, end), 'the CRC-32C of the provenance before it');
  }
  const cursor: Cursor = { bytes, at: 1, limit: end };
  const host = readString(cursor, bytes);
  const pipeline = readString(cursor, bytes);
  const slot = isKeyed ? readCount(cursor) : undefined;
  const count = readCount(cursor);
  if (count > (end - cursor.at) / MIN_RANGE_BYTES) throw wireCorrupt(cursor.at, `room for ${count} ranges`);
  const ranges: ProvenanceRange[] = [];
  for (let i = 0; i < count; i++) ranges.push(readRange(cursor, bytes, isKeyed));
  if (cursor.at !== end) throw wireCorrupt(cursor.at, 'the end of the provenance');
  return { host, pipeline, ...(slot !== undefined && { slot }), ranges };
}

function readRange(cursor: Cursor, bytes: Buffer, isKeyed: boolean): ProvenanceRange {
  const fileId = readString(cursor, bytes);
  const start = readCount(cursor);
  const end = start + readCount(cursor);
  if (!Number.isSafeInteger(end)) throw wireCorrupt(cursor.at, 'a range that ends within 2^53');
  const records = readCount(cursor);
  const ofRecords = isKeyed ? { ofRecords: readCount(cursor) } : undefined;
  const crcAt = cursor.at;
  if (crcAt + CRC_BYTES > cursor.limit) throw wireCorrupt(crcAt, 'the CRC-32C of a range');
  cursor.at = crcAt + CRC_BYTES;
  return { fileId, start, end, records, ...ofRecords, crc32c: bytes.readUInt32BE(crcAt) };
}

/** Bytes that encodeProvenance takes; never fewer for larger numbers. */
export function sizeOfProvenance(provenance: Provenance): number {
  let size = 1 + sizeOfString(provenance.host) + sizeOfString(provenance.pipeline) + CRC_BYTES;
  size += sizeOfCount(provenance.ranges.length);
  if (provenance.slot !== undefined) size += sizeOfCount(provenance.slot);
  for (const range of provenance.ranges) {
    size += sizeOfString(range.fileId) + sizeOfCount(range.start) + sizeOfCount(range.end - range.start);
    size += sizeOfCount(range.records) + CRC_BYTES;
    if (provenance.slot !== undefined) size += sizeOfCount(range.ofRecords ?? range.records);
  }
  return size;
}

function sizeOfCount(count: number): number {
  return sizeOfVarlong(BigInt(count));
}

function writeCount(bytes: Buffer, at: number, count: number): number {
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`provenance cannot hold ${count}`);
  return writeVarlong(bytes, at, BigInt(count));
}

function readCount(cursor: Cursor): number {
  const start = cursor.at;
  const count = readVarlong(cursor);
  if (count < 0n || count > MAX_SAFE) throw wireCorrupt(start, 'a number from 0 to 2^53 - 1');
  return Number(count);
}

function sizeOfString(text: string): number {
  const bytes = Buffer.byteLength(text);
  return sizeOfCount(bytes) + bytes;
}

function writeString(bytes: Buffer, at: number, text: string): number {
  const size = Buffer.byteLength(text);
  at = writeCount(bytes, at, size);
  return at + bytes.write(text, at, size, 'utf8');
}

function readString(cursor: Cursor, bytes: Buffer): string {
  const size = readCount(cursor);
  const start = cursor.at;
  if (size > cursor.limit - start) throw wireCorrupt(start, `a string of ${size} bytes`);
  cursor.at = start + size;
  try {
    return utf8.decode(bytes.subarray(start, cursor.at));
  } catch {
    throw wireCorrupt(start, 'a string in UTF-8');
  }
}
