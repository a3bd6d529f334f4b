import type { TimeBucket } from '../../shared/config/object-layout.ts';
import type { TopicConfig } from '../../shared/config/topic-config.ts';
import { compress } from '../../shared/codec/compress.ts';
import { isSkaldError } from '../../shared/errors.ts';
import { decompressRecords } from '../../shared/wire/decode-records.ts';
import { splitRecordSet } from '../../shared/wire/split-record-set.ts';
import { type BatchText, linesOf } from './batch-text.ts';
import { type BucketSpan, bucketFinder } from './time-bucket.ts';
import { type UndecodableBatch, undecodableBatch, verifiedHeader } from './verified-header.ts';

/** What of a layout the decoder needs. */
export type DecodeLayout = Pick<TopicConfig, 'bucket' | 'timeZone' | 'format' | 'codec' | 'level'>;

/** Records [fromOffset, toOffset) of one partition, as the broker sent them. */
export interface DecodeJob {
  /**
   * Whole record batches that overlap the range, in the order of their offsets. Each buffer owns its
   * ArrayBuffer: a pool takes them away.
   */
  recordSets: Uint8Array[];
  fromOffset: number;
  /** Exclusive. */
  toOffset: number;
  layout: DecodeLayout;
}

/** The job's records of one time bucket, as one compressed frame. Frames of a bucket concatenate. */
export interface DecodedFrame {
  bucket: BucketSpan;
  bytes: Uint8Array;
  records: number;
  /** Before compression. */
  textBytes: number;
  firstOffset: number;
  lastOffset: number;
  minTimestampMs: number;
  maxTimestampMs: number;
}

export interface DecodedRange {
  /** In the order of their first offsets. */
  frames: DecodedFrame[];
  undecodable: UndecodableBatch[];
}

/**
 * Fetched bytes that make a good job: they are kept compressed until so many are there, so that a slow partition
 * gets large frames too, and a large answer is cut into so many, so that all threads get some.
 */
export const JOB_BYTES = 1024 * 1024;

/**
 * A batch whose text would be larger than this is taken for damaged or hostile; brokers take batches of 1 MiB
 * by default.
 */
const MAX_BATCH_TEXT_BYTES = 256 * 1024 * 1024;

/**
 * Checks, decompresses, sorts into time buckets, formats and compresses. A function of the job alone, but for
 * the bytes of frames, which depend on how a range was divided into jobs; their text does not.
 */
export async function decodeRange(job: DecodeJob): Promise<DecodedRange> {
  const { layout } = job;
  const buckets = new Map<string, OpenBucket>();
  const undecodable: UndecodableBatch[] = [];
  const findBucket = cachedFinder(layout.bucket, layout.timeZone);
  let expectedOffset = job.fromOffset;
  for (const recordSet of job.recordSets) {
    for (const span of splitRecordSet(recordSet).batches) {
      try {
        const header = verifiedHeader(recordSet, span, { ...job, expectedOffset });
        const section = await decompressRecords(recordSet, header, MAX_BATCH_TEXT_BYTES);
        // Formatting overwrites the section in place; the fetched bytes must stay as they are for the
        // quarantine.
        const own = section.buffer === recordSet.buffer ? new Uint8Array(section) : section;
        for (const text of linesOf(own, header, job, findBucket)) addText(buckets, text);
        expectedOffset = header.lastOffset + 1;
      } catch (error) {
        if (!isSkaldError(error)) throw error;
        undecodable.push(undecodableBatch(recordSet, span, { ...job, expectedOffset, error }));
        expectedOffset += 1;
      }
    }
  }
  const frames = await Promise.all([...buckets.values()].map((bucket) => closeBucket(bucket, layout)));
  return { frames, undecodable };
}

interface OpenBucket extends Omit<DecodedFrame, 'bytes'> {
  parts: Uint8Array[];
}

function addText(buckets: Map<string, OpenBucket>, text: BatchText): void {
  const { bucket, bytes, records, firstOffset, lastOffset, minTimestampMs, maxTimestampMs } = text;
  const open = buckets.get(bucket.label);
  if (open === undefined) {
    buckets.set(bucket.label, { ...text, textBytes: bytes.length, parts: [bytes] });
    return;
  }
  open.parts.push(bytes);
  open.textBytes += bytes.length;
  open.records += records;
  open.firstOffset = Math.min(open.firstOffset, firstOffset);
  open.lastOffset = Math.max(open.lastOffset, lastOffset);
  open.minTimestampMs = Math.min(open.minTimestampMs, minTimestampMs);
  open.maxTimestampMs = Math.max(open.maxTimestampMs, maxTimestampMs);
  // One label can have two spans, where the zone changes its offset.
  open.bucket = {
    label: bucket.label,
    startMs: Math.min(open.bucket.startMs, bucket.startMs),
    endMs: Math.max(open.bucket.endMs, bucket.endMs),
  };
}

async function closeBucket(open: OpenBucket, { codec, level }: DecodeLayout): Promise<DecodedFrame> {
  const { parts, bucket, records, textBytes, firstOffset, lastOffset, minTimestampMs, maxTimestampMs } = open;
  const text = parts.length === 1 ? parts[0]! : Buffer.concat(parts, textBytes);
  const bytes = await compress(codec, text, { level });
  return { bucket, bytes, records, textBytes, firstOffset, lastOffset, minTimestampMs, maxTimestampMs };
}

/** Records come mostly in the order of time, so the spans used last answer nearly always. */
function cachedFinder(bucket: TimeBucket, timeZone: string): (timestampMs: number) => BucketSpan {
  const find = bucketFinder(bucket, timeZone);
  const recent: BucketSpan[] = [];
  return (timestampMs) => {
    const index = recent.findIndex((span) => timestampMs >= span.startMs && timestampMs < span.endMs);
    const span = index < 0 ? find(timestampMs) : recent.splice(index, 1)[0]!;
    recent.unshift(span);
    if (recent.length > MAX_RECENT_SPANS) recent.pop();
    return span;
  };
}

const MAX_RECENT_SPANS = 16;
