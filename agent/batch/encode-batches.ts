/**
 * Records to finished record batches, none above the size that the topic takes. Pure: the same job gives the same bytes,
 * which is what lets a crashed agent send exactly the batch that it may have sent before.
 */
import type { LineEncoding } from '../../shared/framing/framing.ts';
import { crc32c } from '../../shared/wire/crc32c.ts';
import { encodeLineBatch, type LineBatchOptions, type LineSegment } from '../../shared/wire/encode-lines.ts';
import { MARK_BYTES } from '../checkpoint/state.ts';
import { halve } from './halve.ts';

/** A segment, and what comes after it. */
export interface JobSegment extends LineSegment {
  /** The rest of its last record is passed over. */
  skipRest: boolean;
  /** Length of that rest, or of one that is not passed over; only with length-prefixed framing. */
  restBytes?: number | undefined;
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
  insideBytes?: number | undefined;
  restBytes?: number | undefined;
  encoding?: LineEncoding | undefined;
}

export interface EncodedPart {
  /** A RecordBatch that is not sealed yet; empty when every record was dropped. */
  batch: Uint8Array;
  records: number;
  rawBytes: number;
  oversized: { records: number; bytes: number };
  /** Code units of UTF-16 that became U+FFFD; none when it is not given. */
  replacedUnits?: number;
  ranges: EncodedRange[];
}

/** The parts of one record that is too long: one record, however many of its parts are too long themselves. */
function countOnce(parts: EncodedPart[], records: 0 | 1): EncodedPart[] {
  return parts.map((part, i) => ({
    ...part,
    oversized: { ...part.oversized, records: i === 0 ? records : 0 },
  }));
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
      const [first] = segments;
      const isOneRecord = segments.length === 1 && !left[0]!.terminated;
      return isOneRecord ? countOnce(parts, first!.continues === true ? 0 : 1) : parts;
    }
  }
  const ranges = encoded.provenance.ranges.map((range, i) => {
    const { terminated, skipRest, insideBytes, restBytes, encoding } = segments[i]!;
    const { fileId, start, end, crc32c } = range;
    const rest = { terminated, skipRest, insideBytes, restBytes, encoding };
    const tail = end - start > MARK_BYTES && { tail: tailOf(segments[i]!) };
    return { fileId, start, end, crc32c, ...rest, ...tail };
  });
  const { bytes: batch, recordCount: records, rawBytes, oversized, replacedUnits } = encoded;
  return [{ batch, records, rawBytes, oversized, replacedUnits, ranges }];
}
