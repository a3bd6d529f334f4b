/**
 * Records to finished record batches, none above the size that the topic takes. Pure: the same job gives the same bytes,
 * which is what lets a crashed agent send exactly the batch that it may have sent before.
 */
import type { Keying } from '../../shared/framing/record-key.ts';
import { crc32c } from '../../shared/wire/crc32c.ts';
import { encodeKeyedLines } from '../../shared/wire/encode-keyed.ts';
import {
  type EncodedBatch,
  encodeLineBatch,
  type LineBatchOptions,
  type LineSegment,
} from '../../shared/wire/encode-lines.ts';
import type { ProvenanceRange } from '../../shared/wire/provenance.ts';
import { type IntentRange, MARK_BYTES } from '../checkpoint/entries.ts';
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
  /** Memory for the batch, when it becomes one and fits. */
  room?: Uint8Array | undefined;
  /** The records have keys, and a batch for each partition; with `slot` only that of one partition. */
  keying?: (Keying & { slot?: number }) | undefined;
}

export interface EncodedPart {
  /** A RecordBatch that is not sealed yet; empty when every record was dropped. */
  batch: Uint8Array;
  records: number;
  rawBytes: number;
  oversized: { records: number; bytes: number };
  /** Code units of UTF-16 that became U+FFFD; none when it is not given. */
  replacedUnits?: number;
  ranges: IntentRange[];
  /** With keys: the partition that it must go to. Parts of the same ranges follow each other. */
  slot?: number;
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

/** Encodes a job into one batch, or into several when one would be larger than the broker takes, or for their keys. */
export async function encodeBatches(job: EncodeJob): Promise<EncodedPart[]> {
  const { segments, options, maxBatchBytes } = job;
  const parts = job.keying === undefined ? [await encodeOne(job)] : await encodeKeyed(job, job.keying);
  if (parts.every(({ batch }) => batch.length <= maxBatchBytes)) return parts;
  const halves = halve(segments, options);
  if (halves === undefined) return parts;
  const [left, right] = halves;
  const halved = [
    ...(await encodeBatches({ ...job, segments: left, room: undefined })),
    ...(await encodeBatches({ ...job, segments: right, room: undefined })),
  ];
  const isOneRecord = segments.length === 1 && !left[0]!.terminated;
  return isOneRecord ? countOnce(halved, segments[0]!.continues === true ? 0 : 1) : halved;
}

async function encodeOne({ segments, options, room }: EncodeJob): Promise<EncodedPart> {
  return partOf(await encodeLineBatch(segments, options, room), segments);
}

/** What was counted of all parts stands with the first. Without any record there is one part, for its ranges. */
async function encodeKeyed(job: EncodeJob, { slot: only, ...keying }: Keying & { slot?: number }) {
  const { segments, options } = job;
  const { batches, counts } = await encodeKeyedLines(segments, options, keying, only);
  if (batches.length === 0) {
    const part = await encodeOne(job);
    return [only === undefined ? part : { ...part, batch: new Uint8Array(0), records: 0 }];
  }
  const parts = batches.map((batch) => ({ ...partOf(batch, segments), slot: batch.slot }));
  Object.assign(parts[0]!, counts);
  return parts;
}

function partOf(encoded: EncodedBatch, segments: readonly JobSegment[]): EncodedPart {
  const ranges = encoded.provenance.ranges.map((range, i) => rangeOf(range, segments[i]!));
  const { bytes: batch, recordCount: records, rawBytes, oversized, replacedUnits } = encoded;
  return { batch, records, rawBytes, oversized, replacedUnits, ranges };
}

/** There may be thousands in a second: no field that says nothing, because each costs on the way to another thread. */
function rangeOf(
  { fileId: file, start, end, crc32c: sum }: ProvenanceRange,
  segment: JobSegment,
): IntentRange {
  const { terminated, skipRest, insideBytes, restBytes, encoding } = segment;
  const range: IntentRange = { file, start, end, terminated, skipRest, crc32c: sum };
  if (end - start > MARK_BYTES) range.tail = tailOf(segment);
  if (insideBytes !== undefined) range.insideBytes = insideBytes;
  if (restBytes !== undefined) range.restBytes = restBytes;
  if (encoding !== undefined) range.encoding = encoding;
  return range;
}

/** Parts with keys that have the same ranges, in one group; any other part is a group of its own. */
export function together(parts: readonly EncodedPart[]): EncodedPart[][] {
  const groups: EncodedPart[][] = [];
  for (const part of parts) {
    const group = groups.at(-1);
    const before = group?.[0];
    const isSame = before?.slot !== undefined && part.slot !== undefined && haveSameRanges(before, part);
    if (isSame) group!.push(part);
    else groups.push([part]);
  }
  return groups;
}

function haveSameRanges(a: EncodedPart, b: EncodedPart): boolean {
  const [first, second] = [a.ranges[0]!, b.ranges[0]!];
  return first.file === second.file && first.start === second.start;
}
