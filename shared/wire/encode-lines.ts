import type { WritableCodecName } from '../codec/codec.ts';
import { compress } from '../codec/compress.ts';
import { bufferView } from '../codec/views.ts';
import { type Framing, isPlainLines, LINES, type LineEncoding } from '../framing/framing.ts';
import { lineBreaks } from '../framing/line-breaks.ts';
import { crc32c } from './crc32c.ts';
import { putBackFrameMemory, takeFrameMemory } from './frame-memory.ts';
import { frameRecords, lineEncodingOf } from './frame-records.ts';
import { PROVENANCE_HEADER, type Provenance, encodeProvenance, sizeOfProvenance } from './provenance.ts';
import { RECORDS_AT, writeBatchHeader } from './record-batch.ts';
import { type OversizePolicy, readAppended, type RecordSink } from './record-sink.ts';
import { type RecordFields, sizeOfRecord, writeRecord } from './record.ts';
import type { Cursor } from './varint.ts';

/** Whole records of one file as they stand in it, such as lines: bytes[start, end). */
export interface LineSegment {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Every record is there to its end. False: the last line has no line break, or the last record was cut. */
  terminated: boolean;
  fileId: string;
  /** Where bytes[start] stands in the file. */
  fileOffset: number;
  /** They begin with the rest of a record whose beginning was cut off, and counted, before. */
  continues?: boolean | undefined;
  /** How many bytes that rest has, with length-prefixed framing; 0 when it is not given. */
  insideBytes?: number | undefined;
  /** What the file's byte order mark says, with encoding `utf-16`. */
  encoding?: LineEncoding | undefined;
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
  /** How bytes become records; plain lines when it is not given. */
  framing?: Framing | undefined;
}

export interface EncodedBatch {
  /**
   * A whole RecordBatch without a producer, in the room that was given for it, or in an ArrayBuffer of its own (so it can
   * be transferred); empty without records.
   */
  bytes: Uint8Array;
  recordCount: number;
  /** Bytes of all segments. */
  rawBytes: number;
  /** Lines longer than maxRecordBytes, and how many of their bytes are in no record (none with "split"). */
  oversized: { records: number; bytes: number };
  /** Code units of UTF-16 that mean nothing and became U+FFFD. */
  replacedUnits: number;
  /** A range for each segment, in their order. */
  provenance: Provenance;
}

/**
 * Header count, key, value length, and up to four more bytes for the record's length: what the provenance
 * adds to a record besides its bytes.
 */
const PROVENANCE_OVERHEAD_BYTES = PROVENANCE_HEADER.length + 16;

/**
 * One RecordBatch with a record for each line of the segments, in order, or for whatever else their framing calls
 * a record. A record's value is the line's bytes without the newline, otherwise untouched (a carriage return
 * stays); an empty line is an empty value. A line longer than maxRecordBytes is cut at that many bytes, becomes
 * several records, or none. The first record carries the provenance of the batch.
 *
 * The batch is written to `room` when it fits there. Its bytes are a function of the segments and options and nothing
 * else, so a restarted agent rebuilds the same ones.
 * The segments are read before the first await: their buffers may be reused as soon as the call returns its
 * promise. A segment that ends in the middle of a line but claims to be terminated, and a limit below 1, are
 * RangeErrors.
 */
export async function encodeLineBatch(
  segments: readonly LineSegment[],
  options: LineBatchOptions,
  room?: Uint8Array,
): Promise<EncodedBatch> {
  const { codec, level, timestampMs } = options;
  const framed = frameSegments(segments, options);
  const { sink, firstAt, provenance } = framed;
  try {
    const { recordCount } = sink;
    const result = { ...countsOf(framed), recordCount, rawBytes: sizeOf(segments), provenance };
    if (recordCount === 0) return { ...result, bytes: new Uint8Array(0) };
    const sectionAt = addProvenance(sink.memory.bytes, firstAt, provenance);
    const section = sink.memory.bytes.subarray(sectionAt, sink.at);
    const bytes = await compress(codec, section, { level, headroom: RECORDS_AT, room });
    const lastOffsetDelta = recordCount - 1;
    const timestamps = { baseTimestampMs: timestampMs, maxTimestampMs: timestampMs };
    writeBatchHeader(bytes, { codec, lastOffsetDelta, recordCount, ...timestamps });
    return { ...result, bytes };
  } finally {
    putBackFrameMemory(sink.memory);
  }
}

/** The records of segments in the memory of a sink, from `firstAt` on. The memory is to be put back. */
export interface FramedSegments {
  sink: RecordSink;
  firstAt: number;
  provenance: Provenance;
}

/** @throws RangeError for a limit below 1, and for a segment that is not what it says it is */
export function frameSegments(
  segments: readonly LineSegment[],
  options: Omit<LineBatchOptions, 'codec' | 'level' | 'timestampMs'>,
): FramedSegments {
  const { host, pipeline, maxRecordBytes, oversize, framing = LINES } = options;
  if (!Number.isInteger(maxRecordBytes) || maxRecordBytes < 1) {
    throw new RangeError(`maxRecordBytes is ${maxRecordBytes}, not a whole number from 1`);
  }
  const ranges = segments.map((segment) => rangeOf(segment, framing));
  const provenance: Provenance = { host, pipeline, ranges };
  const sink = startSink(segments, provenance, maxRecordBytes, oversize);
  const firstAt = sink.at;
  for (const [index, segment] of segments.entries()) {
    const recordsBefore = sink.recordCount;
    const source = bufferView(segment.bytes).subarray(segment.start, segment.end);
    frameRecords(sink, source, segment, framing);
    ranges[index]!.records = sink.recordCount - recordsBefore;
  }
  return { sink, firstAt, provenance };
}

export function countsOf({ sink }: FramedSegments): Pick<EncodedBatch, 'oversized' | 'replacedUnits'> {
  const { oversizedRecords: records, oversizedBytes: bytes, replacedUnits } = sink;
  return { oversized: { records, bytes }, replacedUnits };
}

function sizeOf(segments: readonly LineSegment[]): number {
  return segments.reduce((sum, { start, end }) => sum + end - start, 0);
}

/**
 * The range of a segment, with as many records as it has bytes, which is the most it can have: the real
 * number follows.
 */
function rangeOf(segment: LineSegment, framing: Framing): Provenance['ranges'][number] {
  const { bytes, start, end, fileId, fileOffset, terminated } = segment;
  if (start < 0 || end < start || end > bytes.length) {
    throw new RangeError(`segment [${start}, ${end}) of ${bytes.length} bytes`);
  }
  if (terminated && end > start && !endsWhole(segment, framing)) {
    throw new RangeError('a terminated segment ends in the middle of a record');
  }
  const size = end - start;
  const crc = crc32c(bytes, start, end);
  return { fileId, start: fileOffset, end: fileOffset + size, records: size, crc32c: crc };
}

/** Whether the segment may end where it ends. Of length-prefixed records only a walk could tell. */
function endsWhole(segment: LineSegment, framing: Framing): boolean {
  const { bytes, start, end } = segment;
  if (framing.type === 'length-prefixed') return true;
  if (isPlainLines(framing)) return bytes[end - 1] === 0x0a;
  const breaks = lineBreaks(framing.delimiter, lineEncodingOf(framing, segment));
  const lastLineBreak = bufferView(bytes).subarray(Math.max(start, end - breaks.bytes), end);
  return breaks.next(lastLineBreak, 0) === 0;
}

/**
 * The memory holds the longest segment, then a gap that the first record grows into when its header is
 * known, then the records.
 */
function startSink(
  segments: readonly LineSegment[],
  provenance: Provenance,
  maxRecordBytes: number,
  oversize: OversizePolicy,
): RecordSink {
  let longest = 0;
  let total = 0;
  for (const { start, end } of segments) {
    longest = Math.max(longest, end - start);
    total += end - start;
  }
  const at = longest + sizeOfProvenance(provenance) + PROVENANCE_OVERHEAD_BYTES;
  const memory = takeFrameMemory(at + total + (total >>> 2));
  const counts = { recordCount: 0, oversizedRecords: 0, oversizedBytes: 0, replacedUnits: 0 };
  return { memory, at, ...counts, continues: false, maxRecordBytes, oversize };
}

/**
 * Writes the first record anew with the provenance as its header, so that it ends where it ended before, and
 * returns where it starts now. What the provenance says is only known after the last record.
 */
function addProvenance(memory: Buffer, firstAt: number, provenance: Provenance): number {
  const cursor: Cursor = { bytes: memory, at: firstAt, limit: memory.length };
  const [valueStart, valueEnd] = readAppended(cursor);
  const record: RecordFields = {
    timestampDeltaMs: 0,
    offsetDelta: 0,
    key: null,
    value: Buffer.from(memory.subarray(valueStart, valueEnd)),
    headers: [{ key: PROVENANCE_HEADER, value: encodeProvenance(provenance) }],
  };
  const start = cursor.at - sizeOfRecord(record);
  writeRecord(memory, start, record);
  return start;
}
