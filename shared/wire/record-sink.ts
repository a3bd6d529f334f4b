/** A batch's records while they are being built, without an object for any of them. */
import { type FrameMemory, growFrameMemory } from './frame-memory.ts';
import { type Cursor, readVarint, sizeOfVarint, writeVarint } from './varint.ts';

/** Two lengths and an offset delta of five bytes each, and four single bytes. */
const MAX_RECORD_OVERHEAD_BYTES = 19;

/** What becomes of a record that is longer than the limit. */
export type OversizePolicy = 'truncate' | 'split' | 'drop';

/** Records at the end of `memory`, whose beginning holds the bytes that they are made of, and what has been counted. */
export interface RecordSink {
  readonly memory: FrameMemory;
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

/** Appends the record of value memory[start, end): no key, no headers, the timestamp of the batch. */
export function appendRecord(sink: RecordSink, start: number, end: number): void {
  const valueBytes = end - start;
  const at = beginRecord(sink, valueBytes);
  sink.memory.bytes.copyWithin(at, start, end);
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
  sink.memory.bytes.write(text, at, valueBytes, 'utf8');
  endRecord(sink, at + valueBytes);
}

/** Everything in front of the value; returns where the value goes. */
function beginRecord(sink: RecordSink, valueBytes: number): number {
  let { at } = sink;
  growFrameMemory(sink.memory, at + valueBytes + MAX_RECORD_OVERHEAD_BYTES);
  const { bytes } = sink.memory;
  const offsetDelta = sink.recordCount++;
  // Attributes, timestamp delta, null key and header count take one byte each.
  const bodyBytes = 4 + sizeOfVarint(offsetDelta) + sizeOfVarint(valueBytes) + valueBytes;
  at = writeVarint(bytes, at, bodyBytes);
  bytes[at] = 0;
  bytes[at + 1] = 0;
  at = writeVarint(bytes, at + 2, offsetDelta);
  bytes[at] = 1; // -1 in zigzag: a null key
  return writeVarint(bytes, at + 1, valueBytes);
}

function endRecord(sink: RecordSink, at: number): void {
  sink.memory.bytes[at] = 0;
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
