import { type Clock, WOKEN } from '../shared/clock.ts';

/** Lets one loop, and only one, sleep until somebody has something for it to do or its time is over. */
export interface Attention {
  readonly wake: () => void;
  /** Resolves at the next `wake`, at once when there was one since the last wait, or after `ms`, which may be Infinity. */
  wait(ms: number): Promise<void>;
}

/** What a timer can take; a loop that wakes once in a while for nothing costs nothing. */
const LONGEST_MS = 3_600_000;

export function createAttention(clock: Clock): Attention {
  let woken = false;
  let sleeping: AbortController | undefined;
  return {
    wake: () => {
      woken = true;
      sleeping?.abort(WOKEN);
    },
    wait: async (ms) => {
      if (!woken) {
        sleeping = new AbortController();
        await clock.sleep(Math.max(1, Math.min(ms, LONGEST_MS)), sleeping.signal);
        sleeping = undefined;
      }
      woken = false;
    },
  };
}
