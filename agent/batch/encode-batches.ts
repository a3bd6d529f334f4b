/**
 * Lines to finished record batches, none above the size that the topic takes. Pure: the same job gives the same bytes,
 * which is what lets a crashed agent send exactly the batch that it may have sent before.
 */
import { crc32c } from '../../shared/wire/crc32c.ts';
import { encodeLineBatch, type LineBatchOptions, type LineSegment } from '../../shared/wire/encode-lines.ts';
import { MARK_BYTES } from '../checkpoint/state.ts';

const NEWLINE = 0x0a;

/** A segment, and whether the rest of its last line is passed over after it. */
export interface JobSegment extends LineSegment {
  skipRest: boolean;
}

export interface EncodeJob {
  segments: JobSegment[];
  options: LineBatchOptions;
  /** The topic's max.message.bytes: the broker's limit on a batch as it is sent, compressed. */
  maxBatchBytes: number;
}

export interface EncodedRange {
  fileId: string;
  start: number;
  end: number;
  terminated: boolean;
  skipRest: boolean;
  crc32c: number;
  tail?: number;
}

export interface EncodedPart {
  /** A RecordBatch that is not sealed yet; empty when every record was dropped. */
  batch: Uint8Array;
  records: number;
  rawBytes: number;
  oversized: { records: number; bytes: number };
  ranges: EncodedRange[];
}

/** Where to cut a segment of several records near its middle; undefined when it holds a single one. */
function cutPoint(segment: JobSegment, options: LineBatchOptions): number | undefined {
  const { bytes, start, end } = segment;
  const middle = start + Math.floor((end - start) / 2);
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const before = view.lastIndexOf(NEWLINE, middle - 1) + 1;
  if (before > start) return before;
  const after = view.indexOf(NEWLINE, middle) + 1;
  if (after > 0 && after < end) return after;
  // One line. Split into pieces, it can be cut where the encoder cuts it.
  const piece = options.maxRecordBytes;
  const line = end - start - (segment.terminated ? 1 : 0);
  return options.oversize === 'split' && line > piece
    ? start + piece * Math.ceil(line / piece / 2)
    : undefined;
}

/** Two halves of about the same bytes, or undefined when there is only one record. */
export function halve(
  segments: readonly JobSegment[],
  options: LineBatchOptions,
): [JobSegment[], JobSegment[]] | undefined {
  if (segments.length > 1) {
    const total = segments.reduce((sum, s) => sum + s.end - s.start, 0);
    let taken = 0;
    let count = 0;
    while (count < segments.length - 1 && (count === 0 || taken < total / 2)) {
      taken += segments[count]!.end - segments[count]!.start;
      count += 1;
    }
    return [segments.slice(0, count), segments.slice(count)];
  }
  const segment = segments[0]!;
  const at = cutPoint(segment, options);
  if (at === undefined) return undefined;
  const endsLine = segment.bytes[at - 1] === NEWLINE;
  return [
    [{ ...segment, end: at, terminated: endsLine, skipRest: false }],
    [{ ...segment, start: at, fileOffset: segment.fileOffset + at - segment.start }],
  ];
}

/** The parts of one line that is too long: one line, however many of its parts are too long themselves. */
function countOnce(parts: EncodedPart[]): EncodedPart[] {
  return parts.map((part, i) => ({ ...part, oversized: { ...part.oversized, records: i === 0 ? 1 : 0 } }));
}

/** Checksum of a segment's last bytes, for its mark. */
function tailOf({ bytes, start, end }: JobSegment): number {
  return crc32c(bytes, Math.max(start, end - MARK_BYTES), end);
}

/** Encodes a job into one batch, or into several when one would be larger than the broker takes. */
export async function encodeBatches(job: EncodeJob): Promise<EncodedPart[]> {
  const { segments, options, maxBatchBytes } = job;
  const encoded = await encodeLineBatch(segments, options);
  if (encoded.bytes.length > maxBatchBytes) {
    const halves = halve(segments, options);
    if (halves !== undefined) {
      const [left, right] = halves;
      const parts = [
        ...(await encodeBatches({ ...job, segments: left })),
        ...(await encodeBatches({ ...job, segments: right })),
      ];
      const oneLine = segments.length === 1 && !left[0]!.terminated;
      return oneLine ? countOnce(parts) : parts;
    }
  }
  const ranges = encoded.provenance.ranges.map((range, i) => ({
    fileId: range.fileId,
    start: range.start,
    end: range.end,
    crc32c: range.crc32c,
    terminated: segments[i]!.terminated,
    skipRest: segments[i]!.skipRest,
    ...(range.end - range.start > MARK_BYTES && { tail: tailOf(segments[i]!) }),
  }));
  const { bytes: batch, recordCount: records, rawBytes, oversized } = encoded;
  return [{ batch, records, rawBytes, oversized, ranges }];
}
