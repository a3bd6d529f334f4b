import { zoneOffset } from './time-bucket.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/**
 * A function from what the wall clock of a zone shows, as if it were UTC, to Unix milliseconds. A time that
 * the clock shows twice is the first of the two; one that it skips is as long after the change as it would
 * have been (the "compatible" rule of ECMAScript's Temporal and of RFC 5545).
 */
export function zonedTime(timeZone: string): (wallMs: number) => number {
  if (timeZone === 'UTC') return (wallMs) => wallMs;
  const offsetAt = zoneOffset(timeZone);
  // Lines come mostly in the order of time, and asking for an offset is slow.
  let knownMinute = NaN;
  let knownOffsetMs = 0;
  return (wallMs) => {
    const minute = Math.floor(wallMs / MINUTE_MS);
    if (minute !== knownMinute) {
      knownMinute = minute;
      knownOffsetMs = offsetOfWall(wallMs, offsetAt);
    }
    return wallMs - knownOffsetMs;
  };
}

/** A zone changes its offset at most once in a day, so the offsets a day before and after are all there are. */
function offsetOfWall(wallMs: number, offsetAt: (ms: number) => number): number {
  const before = offsetAt(wallMs - DAY_MS);
  const after = offsetAt(wallMs + DAY_MS);
  if (before === after || offsetAt(wallMs - before) === before) return before;
  return offsetAt(wallMs - after) === after ? after : before;
}
