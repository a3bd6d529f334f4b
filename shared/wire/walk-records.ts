import { type BatchHeader, MIN_RECORD_BYTES } from './record-batch.ts';
import { type Cursor, readSafeVarlong, readVarint, shortVarint, sizeIn, valueIn } from './varint.ts';
import { wireCorrupt } from './wire-corrupt.ts';

/** What walkRecords needs of a batch's header. */
export type WalkedBatch = Pick<
  BatchHeader,
  'baseOffset' | 'lastOffsetDelta' | 'baseTimestampMs' | 'maxTimestampMs' | 'isLogAppendTime' | 'recordCount'
>;

/**
 * Gets each record as numbers: its offset, its timestamp (ms since 1970) and positions in the section. A null
 * key or value is -1, -1; an empty one starts where it ends. [headersStart, headersEnd) is for walkHeaders.
 */
export type RecordVisitor = (
  offset: number,
  timestampMs: number,
  keyStart: number,
  keyEnd: number,
  valueStart: number,
  valueEnd: number,
  headersStart: number,
  headersEnd: number,
) => void;

/** Gets each header as positions in the section; a null value is -1, -1. */
export type HeaderVisitor = (keyStart: number, keyEnd: number, valueStart: number, valueEnd: number) => void;

/**
 * Calls the visitor for each record of a decompressed section, in order, and allocates nothing. Throws
 * WIRE_CORRUPT when a record reaches out of its bounds, when offsets do not rise within the batch's, or when
 * the records do not fill the section exactly: the visitor may have been called for records before the
 * damage, so use what it gathered only after this returns. A record is read to its end before the visitor
 * gets it, so the visitor may overwrite everything before that end.
 */
export function walkRecords(section: Uint8Array, batch: WalkedBatch, visit: RecordVisitor): void {
  const { baseOffset, recordCount, lastOffsetDelta } = batch;
  const baseMs = batch.isLogAppendTime ? batch.maxTimestampMs : batch.baseTimestampMs;
  // Adding a short number must not make a timestamp that is not exact.
  const canAdd = Math.abs(baseMs) < Number.MAX_SAFE_INTEGER / 2;
  const cursor: Cursor = { bytes: section, at: 0, limit: section.length };
  let previousDelta = -1;
  for (let i = 0; i < recordCount; i++) {
    // Nearly every record has short numbers and no headers: reading those without the cursor halves the time. What is
    // any different, or damaged, is read with it.
    const recordAt = cursor.at;
    const body = shortVarint(section, recordAt);
    const bodyAt = recordAt + sizeIn(body);
    const timestamp = shortVarint(section, bodyAt + 1); // behind the attributes, of which Kafka uses none
    const offsetAt = bodyAt + 1 + sizeIn(timestamp);
    const offset = shortVarint(section, offsetAt);
    const keyAt = offsetAt + sizeIn(offset);
    const key = shortVarint(section, keyAt);
    const keyBytes = valueIn(key);
    const keyStart = keyAt + sizeIn(key);
    const valueAt = keyBytes < 0 ? keyStart : keyStart + keyBytes;
    const value = shortVarint(section, valueAt);
    const valueBytes = valueIn(value);
    const valueStart = valueAt + sizeIn(value);
    const valueEnd = valueBytes < 0 ? valueStart : valueStart + valueBytes;
    const recordEnd = valueEnd + 1;
    const areShort = canAdd && body !== 0 && timestamp !== 0 && offset !== 0 && key !== 0 && value !== 0;
    const offsetDelta = valueIn(offset);
    if (
      !areShort ||
      keyBytes < -1 ||
      valueBytes < -1 ||
      section[valueEnd] !== 0 || // the count of headers
      bodyAt + valueIn(body) !== recordEnd ||
      offsetDelta <= previousDelta ||
      offsetDelta > lastOffsetDelta
    ) {
      previousDelta = walkRecord(cursor, batch, previousDelta, visit);
      continue;
    }
    cursor.at = recordEnd;
    previousDelta = offsetDelta;
    visit(
      baseOffset + offsetDelta,
      batch.isLogAppendTime ? baseMs : baseMs + valueIn(timestamp),
      keyBytes < 0 ? -1 : keyStart,
      keyBytes < 0 ? -1 : valueAt,
      valueBytes < 0 ? -1 : valueStart,
      valueBytes < 0 ? -1 : valueEnd,
      valueEnd,
      recordEnd,
    );
  }
  if (cursor.at !== section.length) throw wireCorrupt(cursor.at, `the end of ${recordCount} records`);
}

/** The next record, whatever it has. Returns its offset delta. */
function walkRecord(cursor: Cursor, batch: WalkedBatch, previousDelta: number, visit: RecordVisitor): number {
  const sectionBytes = cursor.bytes.length;
  const recordAt = cursor.at;
  cursor.limit = sectionBytes;
  const bodyBytes = readVarint(cursor);
  const recordEnd = cursor.at + bodyBytes;
  if (bodyBytes < MIN_RECORD_BYTES - 1 || recordEnd > sectionBytes) {
    throw wireCorrupt(recordAt, 'a record that fits into its batch');
  }
  cursor.limit = recordEnd;
  cursor.at++; // attributes, of which Kafka uses none
  const timestampDeltaMs = readSafeVarlong(cursor);
  const offsetDelta = readVarint(cursor);
  if (offsetDelta <= previousDelta || offsetDelta > batch.lastOffsetDelta) {
    throw wireCorrupt(recordAt, `an offset delta from ${previousDelta + 1} to ${batch.lastOffsetDelta}`);
  }
  const keyBytes = readFieldLength(cursor, -1);
  const keyStart = keyBytes < 0 ? -1 : cursor.at;
  const keyEnd = keyBytes < 0 ? -1 : (cursor.at += keyBytes);
  const valueBytes = readFieldLength(cursor, -1);
  const valueStart = valueBytes < 0 ? -1 : cursor.at;
  const valueEnd = valueBytes < 0 ? -1 : (cursor.at += valueBytes);
  const headersStart = cursor.at;
  skipHeaders(cursor);
  if (cursor.at !== recordEnd) throw wireCorrupt(cursor.at, 'the end of the record');
  const timestampMs = batch.isLogAppendTime ? batch.maxTimestampMs : batch.baseTimestampMs + timestampDeltaMs;
  if (!Number.isSafeInteger(timestampMs)) throw wireCorrupt(recordAt, 'a timestamp within 2^53');
  visit(
    batch.baseOffset + offsetDelta,
    timestampMs,
    keyStart,
    keyEnd,
    valueStart,
    valueEnd,
    headersStart,
    recordEnd,
  );
  return offsetDelta;
}

/** Calls the visitor for each header of a record that walkRecords has visited. */
export function walkHeaders(section: Uint8Array, start: number, end: number, visit: HeaderVisitor): void {
  const cursor: Cursor = { bytes: section, at: start, limit: end };
  const count = readVarint(cursor);
  for (let i = 0; i < count; i++) {
    const keyBytes = readFieldLength(cursor, 0);
    const keyStart = cursor.at;
    const keyEnd = (cursor.at += keyBytes);
    const valueBytes = readFieldLength(cursor, -1);
    const valueStart = valueBytes < 0 ? -1 : cursor.at;
    const valueEnd = valueBytes < 0 ? -1 : (cursor.at += valueBytes);
    visit(keyStart, keyEnd, valueStart, valueEnd);
  }
}

function skipHeaders(cursor: Cursor): void {
  const at = cursor.at;
  const count = readVarint(cursor);
  if (count < 0) throw wireCorrupt(at, 'a header count of 0 or more');
  for (let i = 0; i < count; i++) {
    const keyBytes = readFieldLength(cursor, 0);
    cursor.at += keyBytes;
    const valueBytes = readFieldLength(cursor, -1);
    cursor.at += Math.max(0, valueBytes);
  }
}

/** The length of a field, of whose bytes none may lie beyond the limit; -1 for null where `least` is -1. */
function readFieldLength(cursor: Cursor, least: number): number {
  const at = cursor.at;
  const length = readVarint(cursor);
  if (length < least || length > cursor.limit - cursor.at) {
    throw wireCorrupt(at, 'a length that fits into the record');
  }
  return length;
}
