import type { ChunkConfig } from '../../shared/config/objects-config.ts';

/**
 * Why a chunk was cut. `pressure`: the memory budget is nearly used up; `buckets`: too many objects open at
 * once.
 */
export type CutReason = 'bytes' | 'buckets' | 'age' | 'bucket-end' | 'pressure' | 'shutdown';

/** A chunk's records can spread over any number of time buckets, and each bucket is an object of its own. */
export const MAX_BUCKETS = 64;

export interface ChunkFacts {
  /** Decoded bytes, plus the fetched bytes that wait for the decoder. */
  bytes: number;
  buckets: number;
  /** When its first batch came, by the monotonic clock. */
  openedAtMs: number;
  /** The first end of a bucket that passes during the chunk's life, by the wall clock; without the grace. */
  bucketEndMs: number;
}

/** Whether a chunk with something in it is due, and why. */
export function cutDue(
  chunk: ChunkFacts,
  limits: ChunkConfig,
  now: { monotonicMs: number; wallMs: number },
): CutReason | undefined {
  if (chunk.bytes >= limits.maxBytes) return 'bytes';
  if (chunk.buckets > MAX_BUCKETS) return 'buckets';
  if (now.monotonicMs - chunk.openedAtMs >= limits.maxAgeMs) return 'age';
  if (now.wallMs >= chunk.bucketEndMs + limits.bucketGraceMs) return 'bucket-end';
  return undefined;
}

/**
 * The bucket end to cut at, after a batch whose newest record belongs into a bucket that ends at `endMs`. A
 * bucket that was over already when its records came is late: it waits for the other limits, or every late
 * record would cut a chunk.
 */
export function earlierBucketEnd(
  currentMs: number,
  endMs: number,
  limits: ChunkConfig,
  wallMs: number,
): number {
  return endMs + limits.bucketGraceMs > wallMs ? Math.min(currentMs, endMs) : currentMs;
}
