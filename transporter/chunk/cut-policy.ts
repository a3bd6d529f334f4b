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
  /** End of the time bucket in which it was opened, by the wall clock; without the grace. */
  bucketEndMs: number;
}

/**
 * Whether a chunk with something in it is due, and why. `takenToMs` is the wall-clock time up to which all that was
 * in the log has been taken: when a bucket has ended, its chunk is cut behind the last of its records, not before.
 */
export function cutDue(
  chunk: ChunkFacts,
  limits: ChunkConfig,
  now: { monotonicMs: number; takenToMs: number | undefined },
): CutReason | undefined {
  if (chunk.bytes >= limits.maxBytes) return 'bytes';
  if (chunk.buckets > MAX_BUCKETS) return 'buckets';
  if (now.monotonicMs - chunk.openedAtMs >= limits.maxAgeMs) return 'age';
  if ((now.takenToMs ?? 0) >= chunk.bucketEndMs + limits.bucketGraceMs) return 'bucket-end';
  return undefined;
}
