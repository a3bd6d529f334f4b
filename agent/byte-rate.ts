import type { Clock } from '../shared/clock.ts';

const WINDOW_SECONDS = 10;

export interface ByteRate {
  add(bytes: number): void;
  /** Bytes for each second, over the last ten. */
  perSecond(): number;
}

/** Counts by the second, so that it needs no timer and its memory does not grow. */
export function byteRate(clock: Pick<Clock, 'monotonicMs'>): ByteRate {
  const seconds = Array.from({ length: WINDOW_SECONDS }, () => ({ second: -1, bytes: 0 }));
  const now = (): number => Math.floor(clock.monotonicMs() / 1000);
  return {
    add: (bytes) => {
      const second = now();
      const slot = seconds[second % WINDOW_SECONDS]!;
      if (slot.second !== second) Object.assign(slot, { second, bytes: 0 });
      slot.bytes += bytes;
    },
    perSecond: () => {
      const oldest = now() - WINDOW_SECONDS + 1;
      const bytes = seconds.reduce((sum, slot) => sum + (slot.second >= oldest ? slot.bytes : 0), 0);
      return Math.round(bytes / WINDOW_SECONDS);
    },
  };
}
