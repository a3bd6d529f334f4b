export interface Slots {
  /**
   * Runs the task when a slot is free, in the order of the calls. @throws what the task throws, or the
   * signal's reason
   */
  run<T>(signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T>;
}

/** At most `count` tasks at once. */
export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];

  const enter = async (): Promise<void> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve)); // the slot is handed over, not freed
  };

  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };

  return {
    run: async (signal, task) => {
      await enter();
      try {
        // Whoever gave up while waiting gets through quickly, so the queue needs no removal.
        signal?.throwIfAborted();
        return await task();
      } finally {
        leave();
      }
    },
  };
}
