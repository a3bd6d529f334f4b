import type { TimeBucket } from '../../shared/config/object-layout.ts';

/** A stretch of time whose records belong into one bucket. */
export interface BucketSpan {
  /**
   * Start of the bucket on the wall clock of its time zone, as `YYYY-MM-DDTHH:MM`. It names the bucket: the
   * hour that a clock shows twice when summer time ends is one bucket.
   */
  label: string;
  /**
   * Unix milliseconds, inclusive and exclusive. Shorter than the bucket where the zone changes its offset
   * inside it.
   */
  startMs: number;
  endMs: number;
}

const MINUTE_MS = 60_000;
/** How long a bucket is on the wall clock. */
export const SIZE_MS: Readonly<Record<TimeBucket, number>> = {
  minute: MINUTE_MS,
  hour: 3_600_000,
  day: 86_400_000,
};

/**
 * Producers can send any 64-bit number as a timestamp, and -1 for none. What lies outside the years 1970 to
 * 9999 goes to the nearest end, because names have four digits for the year.
 */
const FIRST_MS = 0;
const LAST_MS = Date.UTC(9999, 11, 30);

/**
 * Returns a function from a record's timestamp to the span that holds it, for buckets in UTC or a zone of the
 * IANA database.
 */
export function bucketFinder(bucket: TimeBucket, timeZone: string): (timestampMs: number) => BucketSpan {
  const sizeMs = SIZE_MS[bucket];
  const offsetAt = timeZone === 'UTC' ? () => 0 : zoneOffset(timeZone);
  return (timestampMs) => {
    const at = Math.min(Math.max(timestampMs, FIRST_MS), LAST_MS);
    const offsetMs = offsetAt(at);
    const localStartMs = Math.floor((at + offsetMs) / sizeMs) * sizeMs;
    const span = spanOfOffset(
      { startMs: localStartMs - offsetMs, endMs: localStartMs - offsetMs + sizeMs },
      at,
      offsetAt,
    );
    return {
      label: new Date(localStartMs).toISOString().slice(0, 16),
      startMs: span.startMs === FIRST_MS || timestampMs < FIRST_MS ? -Infinity : span.startMs,
      endMs: timestampMs > LAST_MS ? Infinity : span.endMs,
    };
  };
}

/**
 * The part of the span around `at` in which the zone keeps its offset; a zone changes it at most once in a
 * day.
 */
function spanOfOffset(
  { startMs, endMs }: { startMs: number; endMs: number },
  at: number,
  offsetAt: (ms: number) => number,
): { startMs: number; endMs: number } {
  const offsetMs = offsetAt(at);
  const changeBetween = (lowMs: number, highMs: number): number => {
    // All changes since 1970 are on a whole UTC minute.
    let low = Math.floor(lowMs / MINUTE_MS);
    let high = Math.floor(highMs / MINUTE_MS);
    const before = offsetAt(low * MINUTE_MS);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offsetAt(middle * MINUTE_MS) === before) low = middle;
      else high = middle;
    }
    return high * MINUTE_MS;
  };
  return {
    startMs: offsetAt(startMs) === offsetMs ? startMs : changeBetween(startMs, at),
    endMs: offsetAt(endMs - 1) === offsetMs ? endMs : changeBetween(at, endMs - 1),
  };
}

/**
 * Milliseconds to add to UTC for the wall clock of the zone. Slow (microseconds): call it per bucket, not per
 * record.
 */
export function zoneOffset(timeZone: string): (ms: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (ms) => {
    const field: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(ms)) field[type] = Number(value);
    const { year = 0, month = 1, day = 0, hour = 0, minute = 0 } = field;
    return Date.UTC(year, month - 1, day, hour, minute) - Math.floor(ms / MINUTE_MS) * MINUTE_MS;
  };
}
