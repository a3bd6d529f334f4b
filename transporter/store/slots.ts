export interface Slots {
  /** At most so many tasks run at once now. */
  readonly allowed: number;
  /**
   * Runs the task when a slot is free, in the order of the calls. @throws what the task throws, or the
   * signal's reason
   */
  run<T>(signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T>;
  /**
   * Whoever works on the tasks is overtaxed: half as many at once from now on, at least one. About one more
   * comes back for each round of tasks that succeed.
   */
  halve(): void;
}

/** All refusals of one burst count once. */
const HALVE_INTERVAL_MS = 1_000;

/** At most `count` tasks at once; fewer after `halve` (additive increase, multiplicative decrease, as in RFC 5681). */
export function createSlots(count: number, nowMs: () => number = () => performance.now()): Slots {
  let allowed = count;
  let running = 0;
  let halvedAtMs = -Infinity;
  const waiting: (() => void)[] = [];

  const admit = (): void => {
    while (running < Math.floor(allowed) && waiting.length > 0) {
      running += 1;
      waiting.shift()!();
    }
  };

  return {
    get allowed() {
      return Math.floor(allowed);
    },
    run: async (signal, task) => {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        admit();
      });
      try {
        // Whoever gave up while waiting gets through quickly, so the queue needs no removal.
        signal?.throwIfAborted();
        const result = await task();
        allowed = Math.min(count, allowed + 1 / allowed);
        return result;
      } finally {
        running -= 1;
        admit();
      }
    },
    halve: () => {
      if (nowMs() - halvedAtMs < HALVE_INTERVAL_MS) return;
      halvedAtMs = nowMs();
      allowed = Math.max(1, allowed / 2);
    },
  };
}
