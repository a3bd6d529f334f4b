import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import type { BatchHeader } from '../../shared/wire/record-batch.ts';
import type { DecodeLayout } from './decode-range.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import type { JsonValues } from './json-value.ts';
import type { RecordTimes } from './record-time.ts';
import type { OffsetRange } from './record-view.ts';
import type { RefusedRecords } from './refused-records.ts';
import type { BucketSpan } from './time-bucket.ts';

/** Sorts the records of a range of offsets into time buckets and makes a frame of each. */
export interface RangeFormatter {
  /**
   * The decompressed section of the next batch; it is overwritten.
   * @throws SkaldError WIRE_CORRUPT, and then nothing of the batch was added
   */
  addBatch(section: Uint8Array, header: BatchHeader): void;
  /** The first offset that it has left out, because there are as many buckets as there may be. */
  readonly fullAt: number | undefined;
  /** Those of one bucket in the order of their offsets. */
  finish(): Promise<DecodedFrame[]>;
}

/** What every formatter works with. */
export interface RangePlan {
  place: TopicPartition;
  range: OffsetRange;
  maxBuckets: number;
  layout: DecodeLayout;
  findBucket: (timeMs: number) => BucketSpan;
  /** Undefined when the timestamp is the time. */
  times: RecordTimes | undefined;
  json: JsonValues;
  refused: RefusedRecords;
}
