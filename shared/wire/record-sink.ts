/** A batch's records while they are being built, without an object for any of them. */
import { growScratch } from './scratch.ts';
import { type Cursor, readVarint, sizeOfVarint, writeVarint } from './varint.ts';

/** Two lengths and an offset delta of five bytes each, and four single bytes. */
const MAX_RECORD_OVERHEAD_BYTES = 19;

/** What becomes of a record that is longer than the limit. */
export type OversizePolicy = 'truncate' | 'split' | 'drop';

/** Records at the end of `scratch`, whose beginning holds the bytes that they are made of, and what has been counted. */
export interface RecordSink {
  scratch: Buffer;
  /** The next record goes here. */
  at: number;
  recordCount: number;
  /** Records longer than the limit. */
  oversizedRecords: number;
  /** Bytes of those that are in no record. */
  oversizedBytes: number;
  /** The source begins with the rest of a record that was cut and counted before. */
  continues: boolean;
  /** Code units of UTF-16 that mean nothing and became U+FFFD. */
  replacedUnits: number;
  readonly maxRecordBytes: number;
  readonly oversize: OversizePolicy;
}

/** Appends the record of value scratch[start, end): no key, no headers, the timestamp of the batch. */
export function appendRecord(sink: RecordSink, start: number, end: number): void {
  const valueBytes = end - start;
  const at = beginRecord(sink, valueBytes);
  sink.scratch.copyWithin(at, start, end);
  endRecord(sink, at + valueBytes);
}

/** Counts a record that begins at `start` of the source and is too long; one that was cut before is counted already. */
export function countOversized(sink: RecordSink, start: number): void {
  if (start > 0 || !sink.continues) sink.oversizedRecords++;
}

/** Appends what the policy makes of a value that is longer than the limit. */
export function appendOversized(sink: RecordSink, start: number, end: number): void {
  const { maxRecordBytes, oversize } = sink;
  countOversized(sink, start);
  if (oversize === 'split') {
    for (let at = start; at < end; at += maxRecordBytes) {
      appendRecord(sink, at, Math.min(end, at + maxRecordBytes));
    }
    return;
  }
  const keptBytes = oversize === 'truncate' ? maxRecordBytes : 0;
  sink.oversizedBytes += end - start - keptBytes;
  if (keptBytes > 0) appendRecord(sink, start, start + keptBytes);
}

/** Appends the record of value `text` as UTF-8. */
export function appendText(sink: RecordSink, text: string): void {
  const valueBytes = Buffer.byteLength(text, 'utf8');
  const at = beginRecord(sink, valueBytes);
  sink.scratch.write(text, at, valueBytes, 'utf8');
  endRecord(sink, at + valueBytes);
}

/** Everything in front of the value; returns where the value goes. */
function beginRecord(sink: RecordSink, valueBytes: number): number {
  let { at } = sink;
  if (sink.scratch.length - at < valueBytes + MAX_RECORD_OVERHEAD_BYTES) {
    sink.scratch = growScratch(sink.scratch, at, at + valueBytes + MAX_RECORD_OVERHEAD_BYTES);
  }
  const { scratch } = sink;
  const offsetDelta = sink.recordCount++;
  // Attributes, timestamp delta, null key and header count take one byte each.
  const bodyBytes = 4 + sizeOfVarint(offsetDelta) + sizeOfVarint(valueBytes) + valueBytes;
  at = writeVarint(scratch, at, bodyBytes);
  scratch[at] = 0;
  scratch[at + 1] = 0;
  at = writeVarint(scratch, at + 2, offsetDelta);
  scratch[at] = 1; // -1 in zigzag: a null key
  return writeVarint(scratch, at + 1, valueBytes);
}

function endRecord(sink: RecordSink, at: number): void {
  sink.scratch[at] = 0;
  sink.at = at + 1;
}

/** Where the value lies of the appended record at which the cursor stands, which moves on to the next one. */
export function readAppended(cursor: Cursor): [start: number, end: number] {
  readVarint(cursor); // length of the record
  cursor.at += 2; // attributes, timestamp delta
  readVarint(cursor); // offset delta
  cursor.at += 1; // null key
  const valueBytes = readVarint(cursor);
  const start = cursor.at;
  cursor.at = start + valueBytes + 1; // header count
  return [start, start + valueBytes];
}
