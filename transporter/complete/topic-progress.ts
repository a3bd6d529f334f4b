import type { CommittedOffset } from '../../shared/kafka/requests/offsets.ts';
import { decodeProgress, type Progress } from './progress.ts';

/**
 * Unix milliseconds up to which a topic is complete in the store, by the committed offsets of all its partitions;
 * undefined while that is not known of one of them.
 */
export function completeThrough(offsets: readonly CommittedOffset[]): number | undefined {
  const throughs = offsets.map(({ metadata }) => decodeProgress(metadata).through ?? -1);
  const least = Math.min(...throughs);
  return least >= 0 && throughs.length > 0 ? least : undefined;
}

/**
 * Where a partition begins that the group has not read before, given what it has committed for partition 0 of the
 * topic. What comes from one that was added later is late for the buckets that are finished, or about to be.
 */
export function firstProgress(partition: number, ofFirst: CommittedOffset | undefined): Progress {
  if (partition === 0) return { marked: 0 };
  const { marked = 0, closed = 0 } = decodeProgress(ofFirst?.metadata ?? '');
  const through = Math.max(marked, closed);
  return through === 0 ? {} : { through };
}
