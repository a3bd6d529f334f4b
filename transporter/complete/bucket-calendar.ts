import type { TimeBucket } from '../../shared/config/object-layout.ts';
import { bucketFinder, type BucketSpan, SIZE_MS, zoneOffset } from '../decode/time-bucket.ts';

/** Which time buckets there are, and when each is over. */
export interface BucketCalendar {
  /** The part of a bucket in which the zone keeps its offset; a day on which clocks change has two. */
  find(ms: number): BucketSpan;
  /**
   * The whole bucket with this label, also when the clock shows its time twice. Undefined when there is none; nor
   * is the first of 1970 one: it is where records without a time go, and never over.
   */
  wholeOf(label: string): BucketSpan | undefined;
}

const DAY_MS = 86_400_000;

export function bucketCalendar(bucket: TimeBucket, timeZone: string): BucketCalendar {
  const find = bucketFinder(bucket, timeZone);
  const offsetAt = timeZone === 'UTC' ? () => 0 : zoneOffset(timeZone);

  /** A zone changes its offset at most once in a day, so both that can hold are those a day before and after. */
  const wholeOf = (label: string): BucketSpan | undefined => {
    const firstMs = Date.parse(`${label}Z`);
    if (Number.isNaN(firstMs)) return undefined;
    const lastMs = firstMs + SIZE_MS[bucket] - 1;
    const spans = [firstMs - DAY_MS, firstMs + DAY_MS]
      .flatMap((nearMs) => [firstMs - offsetAt(nearMs), lastMs - offsetAt(nearMs)])
      .map(find)
      .filter((span) => span.label === label);
    const startMs = Math.min(...spans.map((span) => span.startMs));
    const endMs = Math.max(...spans.map((span) => span.endMs));
    return Number.isFinite(startMs) ? { label, startMs, endMs } : undefined;
  };

  return { find, wholeOf };
}
