import type { WritableCodecName } from '../codec/codec.ts';
import { compress } from '../codec/compress.ts';
import { type OwnBytes, bufferView } from '../codec/views.ts';
import { crc32c } from './crc32c.ts';
import { type LineFraming, type OversizePolicy, frameLines } from './frame-lines.ts';
import { PROVENANCE_HEADER, type Provenance, encodeProvenance, sizeOfProvenance } from './provenance.ts';
import { RECORDS_AT, writeBatchHeader } from './record-batch.ts';
import { type RecordFields, sizeOfRecord, writeRecord } from './record.ts';
import { putBackScratch, takeScratch } from './scratch.ts';
import { type Cursor, readVarint } from './varint.ts';

/** Whole lines of one file: bytes[start, end). */
export interface LineSegment {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Every line ends with a newline. False: the last line has none. */
  terminated: boolean;
  fileId: string;
  /** Where bytes[start] stands in the file. */
  fileOffset: number;
}

export interface LineBatchOptions {
  codec: WritableCodecName;
  level?: number;
  /** Create time of every record, milliseconds since 1970. */
  timestampMs: number;
  host: string;
  pipeline: string;
  /** The longest value a record may have. */
  maxRecordBytes: number;
  oversize: OversizePolicy;
}

export interface EncodedBatch {
  /**
   * A whole RecordBatch without a producer, in an ArrayBuffer of its own (so it can be transferred); empty
   * without records.
   */
  bytes: OwnBytes;
  recordCount: number;
  /** Bytes of all segments. */
  rawBytes: number;
  /** Lines longer than maxRecordBytes, and how many of their bytes are in no record (none with "split"). */
  oversized: { records: number; bytes: number };
  /** A range for each segment, in their order. */
  provenance: Provenance;
}

/**
 * Header count, key, value length, and up to four more bytes for the record's length: what the provenance
 * adds to a record besides its bytes.
 */
const PROVENANCE_OVERHEAD_BYTES = PROVENANCE_HEADER.length + 16;

/**
 * One RecordBatch with a record for each line of the segments, in order. A record's value is the line's bytes
 * without the newline, otherwise untouched (a carriage return stays); an empty line is an empty value. A line
 * longer than maxRecordBytes is cut at that many bytes, becomes several records, or none. The first record
 * carries the provenance of the batch.
 *
 * The result is a function of the arguments and nothing else, so a restarted agent rebuilds the same bytes.
 * The segments are read before the first await: their buffers may be reused as soon as the call returns its
 * promise. A segment that ends in the middle of a line but claims to be terminated, and a limit below 1, are
 * RangeErrors.
 */
export async function encodeLineBatch(
  segments: readonly LineSegment[],
  options: LineBatchOptions,
): Promise<EncodedBatch> {
  const { codec, level, host, pipeline, timestampMs, maxRecordBytes, oversize } = options;
  if (!Number.isInteger(maxRecordBytes) || maxRecordBytes < 1) {
    throw new RangeError(`maxRecordBytes is ${maxRecordBytes}, not a whole number from 1`);
  }
  const provenance: Provenance = { host, pipeline, ranges: segments.map(rangeOf) };
  const framing = startFraming(segments, provenance, maxRecordBytes, oversize);
  try {
    const firstAt = framing.at;
    for (const [index, segment] of segments.entries()) {
      const recordsBefore = framing.recordCount;
      frameLines(framing, bufferView(segment.bytes).subarray(segment.start, segment.end));
      provenance.ranges[index]!.records = framing.recordCount - recordsBefore;
    }
    const { recordCount } = framing;
    const result = {
      recordCount,
      rawBytes: segments.reduce((sum, { start, end }) => sum + end - start, 0),
      oversized: { records: framing.oversizedRecords, bytes: framing.oversizedBytes },
      provenance,
    };
    if (recordCount === 0) return { ...result, bytes: new Uint8Array(0) };
    const sectionAt = addProvenance(framing.scratch, firstAt, provenance);
    const section = framing.scratch.subarray(sectionAt, framing.at);
    const bytes = await compress(codec, section, { level, headroom: RECORDS_AT });
    const lastOffsetDelta = recordCount - 1;
    const timestamps = { baseTimestampMs: timestampMs, maxTimestampMs: timestampMs };
    writeBatchHeader(bytes, { codec, lastOffsetDelta, recordCount, ...timestamps });
    return { ...result, bytes };
  } finally {
    putBackScratch(framing.scratch);
  }
}

/**
 * The range of a segment, with as many records as it has bytes, which is the most it can have: the real
 * number follows.
 */
function rangeOf(segment: LineSegment): Provenance['ranges'][number] {
  const { bytes, start, end, fileId, fileOffset, terminated } = segment;
  if (start < 0 || end < start || end > bytes.length) {
    throw new RangeError(`segment [${start}, ${end}) of ${bytes.length} bytes`);
  }
  if (terminated && end > start && bytes[end - 1] !== 0x0a) {
    throw new RangeError('a terminated segment ends without a newline');
  }
  const size = end - start;
  const crc = crc32c(bytes, start, end);
  return { fileId, start: fileOffset, end: fileOffset + size, records: size, crc32c: crc };
}

/**
 * The scratch holds the longest segment, then a gap that the first record grows into when its header is
 * known, then the records.
 */
function startFraming(
  segments: readonly LineSegment[],
  provenance: Provenance,
  maxRecordBytes: number,
  oversize: OversizePolicy,
): LineFraming {
  let longest = 0;
  let total = 0;
  for (const { start, end } of segments) {
    longest = Math.max(longest, end - start);
    total += end - start;
  }
  const at = longest + sizeOfProvenance(provenance) + PROVENANCE_OVERHEAD_BYTES;
  const scratch = takeScratch(at + total + (total >>> 2));
  const counts = { recordCount: 0, oversizedRecords: 0, oversizedBytes: 0 };
  return { scratch, at, ...counts, maxRecordBytes, oversize };
}

/**
 * Writes the first record anew with the provenance as its header, so that it ends where it ended before, and
 * returns where it starts now. What the provenance says is only known after the last record.
 */
function addProvenance(scratch: Buffer, firstAt: number, provenance: Provenance): number {
  const cursor: Cursor = { bytes: scratch, at: firstAt, limit: scratch.length };
  const bodyBytes = readVarint(cursor);
  const end = cursor.at + bodyBytes;
  cursor.at += 4; // attributes, timestamp delta 0, offset delta 0, null key
  const valueBytes = readVarint(cursor);
  const record: RecordFields = {
    timestampDeltaMs: 0,
    offsetDelta: 0,
    key: null,
    value: Buffer.from(scratch.subarray(cursor.at, cursor.at + valueBytes)),
    headers: [{ key: PROVENANCE_HEADER, value: encodeProvenance(provenance) }],
  };
  const start = end - sizeOfRecord(record);
  writeRecord(scratch, start, record);
  return start;
}
