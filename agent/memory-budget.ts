/** A bound on bytes held by the process. Whoever wants more waits in line; nobody overtakes. */
export interface MemoryBudget {
  readonly usedBytes: number;
  readonly totalBytes: number;
  /** Takes `bytes` at once, or says no. */
  tryTake(bytes: number): boolean;
  /** Resolves when `bytes` are taken, or with false when `signal` aborts first. */
  take(bytes: number, signal: AbortSignal): Promise<boolean>;
  give(bytes: number): void;
}

export function memoryBudget(totalBytes: number): MemoryBudget {
  let usedBytes = 0;
  const waiting: { bytes: number; grant: (granted: boolean) => void }[] = [];
  // A single request above the whole budget is let through alone: a long line must not wait for ever.
  const fits = (bytes: number): boolean => usedBytes === 0 || usedBytes + bytes <= totalBytes;

  const grantWaiting = (): void => {
    while (waiting.length > 0 && fits(waiting[0]!.bytes)) {
      const next = waiting.shift()!;
      usedBytes += next.bytes;
      next.grant(true);
    }
  };

  return {
    get usedBytes() {
      return usedBytes;
    },
    totalBytes,
    tryTake: (bytes) => {
      if (waiting.length > 0 || !fits(bytes)) return false;
      usedBytes += bytes;
      return true;
    },
    take: (bytes, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve(false);
          return;
        }
        const waiter = {
          bytes,
          grant: (granted: boolean) => {
            signal.removeEventListener('abort', abort);
            resolve(granted);
          },
        };
        const abort = (): void => {
          waiting.splice(waiting.indexOf(waiter), 1);
          waiter.grant(false);
          grantWaiting(); // it may have stood in front of smaller ones
        };
        if (waiting.length === 0 && fits(bytes)) {
          usedBytes += bytes;
          resolve(true);
          return;
        }
        waiting.push(waiter);
        signal.addEventListener('abort', abort, { once: true });
      }),
    give: (bytes) => {
      usedBytes -= bytes;
      grantWaiting();
    },
  };
}
