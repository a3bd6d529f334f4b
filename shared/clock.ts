/** Time as an argument: a simulation owns it, production passes `systemClock`. */
export interface Clock {
  /** Wall-clock milliseconds since the Unix epoch. May jump; used for timestamps that leave the process. */
  nowMs(): number;
  /** Milliseconds that never go backwards; used for every time-out and age. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects: callers look at the signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The reason for an `abort()` that only ends a sleep: without one, each makes an exception with a stack. */
export const WOKEN = 'woken';

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      signal?.addEventListener('abort', finish, { once: true });
    }),
};

/** A source of numbers in [0, 1). A simulation passes a seeded one. */
export type Random = () => number;

export interface Backoff {
  baseMs: number;
  maxMs: number;
}

/**
 * Exponential backoff with full jitter: uniform in [0, min(max, base * 2^attempt)], never under a tenth of that bound, so
 * that a fleet that lost the same broker does not come back in step.
 */
export function backoffMs(attempt: number, { baseMs, maxMs }: Backoff, random: Random): number {
  const bound = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return bound * (0.1 + 0.9 * random());
}
