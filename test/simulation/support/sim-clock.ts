import type { Clock } from '../../../shared/clock.ts';

/** Virtual time: it moves only when `advance` is called and nothing else is left to do. */
export interface SimClock extends Clock {
  /** Runs what is ready, then moves to the next timer within `ms` and runs what that wakes, until `ms` are over. */
  advance(ms: number): Promise<void>;
  /** Resolves after a delay in virtual time, whatever becomes of the process that asked. */
  after(ms: number): Promise<void>;
}

export function simClock(startMs: number): SimClock {
  let nowMs = startMs;
  let order = 0;
  const timers: { atMs: number; order: number; fire: () => void }[] = [];

  const add = (ms: number, fire: () => void): (() => void) => {
    const timer = { atMs: nowMs + ms, order: (order += 1), fire };
    timers.push(timer);
    return () => {
      const index = timers.indexOf(timer);
      if (index !== -1) timers.splice(index, 1);
    };
  };
  // Everything in a simulation runs on promises, so one turn of the event loop runs all that is ready.
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  return {
    nowMs: () => Math.floor(nowMs),
    monotonicMs: () => nowMs,
    after: (ms) => new Promise((resolve) => add(ms, resolve)),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) {
          resolve();
          return;
        }
        const finish = (): void => {
          cancel();
          signal?.removeEventListener('abort', finish);
          resolve();
        };
        const cancel = add(ms, finish);
        signal?.addEventListener('abort', finish, { once: true });
      }),
    advance: async (ms) => {
      const untilMs = nowMs + ms;
      await settle();
      for (;;) {
        let next = timers[0];
        for (const timer of timers) {
          if (
            next === undefined ||
            timer.atMs < next.atMs ||
            (timer.atMs === next.atMs && timer.order < next.order)
          )
            next = timer;
        }
        if (next === undefined || next.atMs > untilMs) break;
        timers.splice(timers.indexOf(next), 1);
        nowMs = Math.max(nowMs, next.atMs);
        next.fire();
        await settle();
      }
      nowMs = untilMs;
    },
  };
}
