/** Lets as many replays begin as fit into a part of the memory budget, and at least one. */
export interface ReplayQueue {
  /**
   * Resolves when a replay of so many bytes may begin, with what to call at its end. @throws the signal's
   * reason
   */
  enter(bytes: number, signal: AbortSignal): Promise<() => void>;
}

/**
 * A replay cannot be cut short: all its bytes must be in memory before it can be finished and give them back.
 * A worker that takes over a thousand partitions with a thousand intents would hold a part of each and could
 * finish none.
 */
export function createReplayQueue(limitBytes: number): ReplayQueue {
  let usedBytes = 0;
  let running = 0;
  const waiting: { bytes: number; begin: () => void }[] = [];

  const fits = (bytes: number): boolean => running === 0 || usedBytes + bytes <= limitBytes;

  const beginWaiting = (): void => {
    while (waiting[0] !== undefined && fits(waiting[0].bytes)) {
      const next = waiting.shift()!;
      take(next.bytes);
      next.begin();
    }
  };

  const take = (bytes: number): void => {
    usedBytes += bytes;
    running += 1;
  };

  const leaveOnce = (bytes: number): (() => void) => {
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      usedBytes -= bytes;
      running -= 1;
      beginWaiting();
    };
  };

  return {
    enter: async (bytes, signal) => {
      signal.throwIfAborted();
      if (waiting.length === 0 && fits(bytes)) {
        take(bytes);
        return leaveOnce(bytes);
      }
      let giveUp = (): void => {};
      try {
        await new Promise<void>((resolve, reject) => {
          const entry = { bytes, begin: resolve };
          giveUp = () => {
            const index = waiting.indexOf(entry);
            if (index < 0) return; // it has begun in this very moment
            waiting.splice(index, 1);
            reject(signal.reason);
            beginWaiting();
          };
          signal.addEventListener('abort', giveUp, { once: true });
          waiting.push(entry);
        });
      } finally {
        signal.removeEventListener('abort', giveUp);
      }
      return leaveOnce(bytes);
    },
  };
}
