/** How fast a pipeline may read: a token bucket. What it may not read waits in its file. */
import type { Clock } from '../shared/clock.ts';

export interface RateLimit {
  /** Bytes that may be read now; 0 while that would be too few to be worth a read. */
  allowance(): number;
  /** Bytes were read. One line may be longer than what was allowed; the rest is owed, and waited for before the next. */
  took(bytes: number): void;
  /** Until there is an allowance again; Infinity while it is not the limit that holds back. */
  waitMs(): number;
}

export const unlimited: RateLimit = {
  allowance: () => Infinity,
  took: () => {},
  waitMs: () => Infinity,
};

/** A tenth of a second's bytes at a time: a read for every few bytes would cost more than it carries. */
const READS_PER_SECOND = 10;

/** Lets `burstBytes` through at once after a pause, and `bytesPerSecond` in the long run. */
export function rateLimit(options: {
  bytesPerSecond: number;
  burstBytes: number;
  /** Reading was held back for so long. */
  onLimited(ms: number): void;
  clock: Pick<Clock, 'monotonicMs'>;
}): RateLimit {
  const { bytesPerSecond, burstBytes, clock } = options;
  const least = Math.max(1, Math.min(burstBytes, bytesPerSecond / READS_PER_SECOND));
  let tokens = burstBytes;
  let filledMs = clock.monotonicMs();
  let limited: { sinceMs: number; untilMs: number } | undefined;

  const refill = (): number => {
    const nowMs = clock.monotonicMs();
    tokens = Math.min(burstBytes, tokens + ((nowMs - filledMs) / 1000) * bytesPerSecond);
    filledMs = nowMs;
    return nowMs;
  };
  const missingMs = (): number => Math.ceil(((least - tokens) / bytesPerSecond) * 1000);

  return {
    allowance: () => {
      const nowMs = refill();
      if (tokens < least) {
        limited ??= { sinceMs: nowMs, untilMs: nowMs + missingMs() };
        return 0;
      }
      // Whatever came between, the limit held nothing back after its time was over.
      if (limited !== undefined) options.onLimited(Math.min(nowMs, limited.untilMs) - limited.sinceMs);
      limited = undefined;
      return Math.floor(tokens);
    },
    took: (bytes) => {
      refill();
      tokens -= bytes;
    },
    waitMs: () => {
      refill();
      return tokens < least ? missingMs() : Infinity;
    },
  };
}
