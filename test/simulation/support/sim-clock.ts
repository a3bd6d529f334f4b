import type { Clock } from '../../../shared/clock.ts';
import { type Timer, timerHeap } from './timer-heap.ts';

/** Virtual time: it moves only when `advance` is called and nothing else is left to do. */
export interface SimClock extends Clock {
  /** Runs what is ready, then moves to the next timer within `ms` and runs what that wakes, until `ms` are over. */
  advance(ms: number): Promise<void>;
  /** Resolves after a delay in virtual time, whatever becomes of the process that asked. */
  after(ms: number): Promise<void>;
  /** Sets the wall clock forward or back, as an operator or NTP does; monotonic time does not notice. */
  jump(ms: number): void;
  /**
   * Time stands still until `work` has settled: for what real threads do, such as compression. What is held at once
   * comes back in the order of the calls, so that a seed is the same run each time.
   */
  hold<T>(work: Promise<T>): Promise<T>;
}

export function simClock(startMs: number): SimClock {
  let nowMs = startMs;
  let jumpedMs = 0;
  let order = 0;
  const timers = timerHeap();
  let held = 0;
  let lastHeld: Promise<unknown> = Promise.resolve();

  const add = (ms: number, fire: () => void): Timer => {
    const timer = { atMs: nowMs + ms, order: (order += 1), fire };
    timers.add(timer);
    return timer;
  };
  // Everything else in a simulation runs on promises, so one turn of the event loop runs all that is ready.
  const settle = async (): Promise<void> => {
    do await new Promise((resolve) => setImmediate(resolve));
    while (held > 0);
  };

  return {
    nowMs: () => Math.floor(nowMs + jumpedMs),
    monotonicMs: () => nowMs,
    after: (ms) => new Promise((resolve) => add(ms, resolve)),
    jump: (ms) => {
      jumpedMs += ms;
    },
    hold: async (work) => {
      held += 1;
      const before = lastHeld;
      lastHeld = work.catch(() => {});
      try {
        await before;
        return await work;
      } finally {
        held -= 1;
      }
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) {
          resolve();
          return;
        }
        const finish = (): void => {
          timer.fire = undefined;
          signal?.removeEventListener('abort', finish);
          resolve();
        };
        const timer = add(ms, finish);
        signal?.addEventListener('abort', finish, { once: true });
      }),
    advance: async (ms) => {
      const untilMs = nowMs + ms;
      await settle();
      for (let next = timers.peek(); next !== undefined && next.atMs <= untilMs; next = timers.peek()) {
        timers.pop();
        nowMs = Math.max(nowMs, next.atMs);
        next.fire?.();
        await settle();
      }
      nowMs = untilMs;
    },
  };
}
