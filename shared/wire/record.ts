import { bufferView } from '../codec/views.ts';
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts';

export interface RecordHeader {
  key: string;
  value: Uint8Array | null;
}

/** One record as it stands in a batch. Source: Kafka protocol guide, Record. */
export interface RecordFields {
  timestampDeltaMs: number;
  offsetDelta: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: readonly RecordHeader[];
}

/** Bytes that writeRecord takes. */
export function sizeOfRecord(record: RecordFields): number {
  const body = sizeOfBody(record);
  return sizeOfVarint(body) + body;
}

/** Writes a record and returns the position after it. */
export function writeRecord(bytes: Uint8Array, at: number, record: RecordFields): number {
  at = writeVarint(bytes, at, sizeOfBody(record));
  bytes[at] = 0;
  at = writeVarlong(bytes, at + 1, BigInt(record.timestampDeltaMs));
  at = writeVarint(bytes, at, record.offsetDelta);
  at = writeField(bytes, at, record.key);
  at = writeField(bytes, at, record.value);
  at = writeVarint(bytes, at, record.headers.length);
  for (const header of record.headers) {
    const keyBytes = Buffer.byteLength(header.key);
    at = writeVarint(bytes, at, keyBytes);
    at += bufferView(bytes).write(header.key, at, keyBytes, 'utf8');
    at = writeField(bytes, at, header.value);
  }
  return at;
}

function sizeOfBody(record: RecordFields): number {
  let size = 1 + sizeOfVarlong(BigInt(record.timestampDeltaMs)) + sizeOfVarint(record.offsetDelta);
  size += sizeOfField(record.key) + sizeOfField(record.value) + sizeOfVarint(record.headers.length);
  for (const header of record.headers) {
    const keyBytes = Buffer.byteLength(header.key);
    size += sizeOfVarint(keyBytes) + keyBytes + sizeOfField(header.value);
  }
  return size;
}

/** A length, -1 for null, and that many bytes. */
function sizeOfField(field: Uint8Array | null): number {
  return field === null ? 1 : sizeOfVarint(field.length) + field.length;
}

function writeField(bytes: Uint8Array, at: number, field: Uint8Array | null): number {
  at = writeVarint(bytes, at, field === null ? -1 : field.length);
  if (field === null) return at;
  bytes.set(field, at);
  return at + field.length;
}
