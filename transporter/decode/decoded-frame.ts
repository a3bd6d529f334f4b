import type { RowGroupFacts } from './parquet-row-group.ts';
import type { BucketSpan } from './time-bucket.ts';

/**
 * What is known of records of one time bucket beside their bytes. All of them are made by factsOf: objects of one
 * shape keep their numbers unboxed, and one is updated for each record.
 */
export interface FrameFacts {
  bucket: BucketSpan;
  records: number;
  firstOffset: number;
  lastOffset: number;
  minTimestampMs: number;
  maxTimestampMs: number;
}

/** A job's records of one time bucket, as one compressed frame. Frames of a bucket concatenate. */
export interface DecodedFrame extends FrameFacts {
  bytes: Uint8Array;
  /** Before compression. */
  textBytes: number;
  /** With Parquet: what the footer needs to know. */
  rowGroup?: RowGroupFacts;
}

/** Those of no record yet; the first will be this one. */
export function factsOf(bucket: BucketSpan, offset: number, timestampMs: number): FrameFacts {
  return {
    bucket,
    records: 0,
    firstOffset: offset,
    lastOffset: offset,
    minTimestampMs: timestampMs,
    maxTimestampMs: timestampMs,
  };
}

/** Adds those of later records to `facts`. */
export function addFacts(facts: FrameFacts, later: FrameFacts): void {
  facts.records += later.records;
  facts.lastOffset = later.lastOffset;
  facts.minTimestampMs = Math.min(facts.minTimestampMs, later.minTimestampMs);
  facts.maxTimestampMs = Math.max(facts.maxTimestampMs, later.maxTimestampMs);
  extendBucket(facts, later.bucket);
}

export function addRecord(facts: FrameFacts, offset: number, timestampMs: number): void {
  facts.records += 1;
  facts.lastOffset = offset;
  if (timestampMs < facts.minTimestampMs) facts.minTimestampMs = timestampMs;
  if (timestampMs > facts.maxTimestampMs) facts.maxTimestampMs = timestampMs;
}

/** One label can have two spans, where the zone changes its offset. */
export function extendBucket(facts: FrameFacts, { label, startMs, endMs }: BucketSpan): void {
  const { bucket } = facts;
  if (startMs >= bucket.startMs && endMs <= bucket.endMs) return;
  facts.bucket = {
    label,
    startMs: Math.min(bucket.startMs, startMs),
    endMs: Math.max(bucket.endMs, endMs),
  };
}
