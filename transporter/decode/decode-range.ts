import type { TimeBucket } from '../../shared/config/object-layout.ts';
import type { TopicConfig } from '../../shared/config/topic-config.ts';
import { isSkaldError } from '../../shared/errors.ts';
import { freeBytes } from '../../shared/free-bytes.ts';
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import { decompressRecords } from '../../shared/wire/decode-records.ts';
import type { BatchSpan } from '../../shared/wire/record-batch.ts';
import { splitRecordSet } from '../../shared/wire/split-record-set.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import { formatLines } from './format-lines.ts';
import { formatRecords } from './format-records.ts';
import { createJsonValues } from './json-value.ts';
import { jsonlFormat } from './jsonl-format.ts';
import { linesFormat } from './lines-format.ts';
import { parquetFormat } from './parquet-format.ts';
import type { RangeFormatter, RangePlan } from './range-formatter.ts';
import { recordTimes } from './record-time.ts';
import { createRefusedRecords, type RefusedFrame } from './refused-records.ts';
import { type BucketSpan, bucketFinder } from './time-bucket.ts';
import { type UndecodableBatch, undecodableBatch, verifiedHeader } from './verified-header.ts';

/** What of a layout the decoder needs. */
export type DecodeLayout = Pick<
  TopicConfig,
  'bucket' | 'timeZone' | 'time' | 'format' | 'columns' | 'codec' | 'level'
>;

/** Records [fromOffset, toOffset) of one partition, as the broker sent them. */
export interface DecodeJob extends TopicPartition {
  /**
   * Whole record batches that overlap the range, in the order of their offsets. Each buffer owns its
   * ArrayBuffer: a pool takes them away.
   */
  recordSets: Uint8Array[];
  fromOffset: number;
  /** Exclusive. */
  toOffset: number;
  /**
   * The range ends early at the record, or with lines at the batch, that makes so many time buckets: times can be
   * anything, and each bucket takes memory and becomes an object.
   */
  maxBuckets: number;
  layout: DecodeLayout;
}

export interface DecodedRange {
  /** Exclusive; of the job, unless its buckets were too many. */
  endOffset: number;
  /** Those of one bucket in the order of their offsets. */
  frames: DecodedFrame[];
  /** What goes to the quarantine. */
  refused: RefusedFrame | undefined;
  /** Batches in it of which no record could be read. */
  undecodable: UndecodableBatch[];
  /** Records among those of the frames that had no usable time, and went by their timestamp. */
  timeFallbacks: number;
}

/** Everything of it that holds bytes. */
export function piecesOf({ frames, refused }: DecodedRange): { bytes: Uint8Array; textBytes: number }[] {
  return refused === undefined ? frames : [...frames, refused];
}

/** What an empty stretch of offsets decodes to. */
export function nothingDecoded(endOffset: number): DecodedRange {
  return { endOffset, frames: [], refused: undefined, undecodable: [], timeFallbacks: 0 };
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
 * the bytes of frames, which depend on how a range was divided into jobs; their records do not.
 */
export async function decodeRange(job: DecodeJob): Promise<DecodedRange> {
  const plan = planOf(job);
  const formatter = formatterOf(plan);
  const undecodable: UndecodableBatch[] = [];
  const sections: Uint8Array[] = [];
  let expectedOffset = job.fromOffset;
  for (const { recordSet, span } of batchesOf(job)) {
    if (formatter.fullAt !== undefined) break;
    try {
      const header = verifiedHeader(recordSet, span, { ...job, expectedOffset });
      const section = await decompressRecords(recordSet, header, MAX_BATCH_TEXT_BYTES);
      // Formatting overwrites the section in place; the fetched bytes must stay as they are for the
      // quarantine.
      const own = section.buffer === recordSet.buffer ? new Uint8Array(section) : section;
      sections.push(own);
      // Markers come along when a broker answers with more than the high watermark that it names.
      if (!header.isControl) formatter.addBatch(own, header);
      expectedOffset = header.lastOffset + 1;
    } catch (error) {
      if (!isSkaldError(error)) throw error;
      const batch = undecodableBatch(recordSet, span, { ...job, expectedOffset, error });
      plan.refused.addBatch(batch, recordSet.subarray(span.start, span.end));
      undecodable.push(batch);
      expectedOffset += 1;
    }
  }
  const range: DecodedRange = {
    endOffset: Math.min(formatter.fullAt ?? job.toOffset, job.toOffset),
    frames: await formatter.finish(),
    refused: await plan.refused.finish(),
    undecodable,
    timeFallbacks: plan.times?.fallbacks ?? 0,
  };
  for (const section of sections) freeBytes(section);
  return range;
}

function* batchesOf({ recordSets }: DecodeJob): Generator<{ recordSet: Uint8Array; span: BatchSpan }> {
  for (const recordSet of recordSets) {
    for (const span of splitRecordSet(recordSet).batches) yield { recordSet, span };
  }
}

function planOf({ topic, partition, fromOffset, toOffset, maxBuckets, layout }: DecodeJob): RangePlan {
  const place = { topic, partition };
  const json = createJsonValues();
  const refused = createRefusedRecords(place, layout);
  return {
    place,
    range: { fromOffset, toOffset },
    maxBuckets,
    layout,
    findBucket: cachedFinder(layout.bucket, layout.timeZone),
    times: recordTimes(layout.time, json, refused),
    json,
    refused,
  };
}

function formatterOf(plan: RangePlan): RangeFormatter {
  const { place, layout, json, times } = plan;
  if (layout.format === 'jsonl') return formatRecords(plan, jsonlFormat(place, layout));
  if (layout.format === 'parquet') return formatRecords(plan, parquetFormat(place, layout, json));
  return times === undefined ? formatLines(plan) : formatRecords(plan, linesFormat(layout));
}

/** Records come mostly in the order of time, so the spans used last answer nearly always. */
function cachedFinder(bucket: TimeBucket, timeZone: string): (timestampMs: number) => BucketSpan {
  const find = bucketFinder(bucket, timeZone);
  const recent: BucketSpan[] = [];
  return (timestampMs) => {
    const last = recent[0];
    if (last !== undefined && timestampMs >= last.startMs && timestampMs < last.endMs) return last;
    const index = recent.findIndex((span) => timestampMs >= span.startMs && timestampMs < span.endMs);
    const span = index < 0 ? find(timestampMs) : recent.splice(index, 1)[0]!;
    recent.unshift(span);
    if (recent.length > MAX_RECENT_SPANS) recent.pop();
    return span;
  };
}

const MAX_RECENT_SPANS = 16;
