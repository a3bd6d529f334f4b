/** Lets one loop (and only one) wait for something to change without asking again and again. */
export interface Wakeup {
  notify(): void;
  /**
   * Resolves at the next `notify`, or at once when there was one since the last wait, or when the signal
   * aborts.
   */
  wait(signal: AbortSignal): Promise<void>;
}

export function createWakeup(): Wakeup {
  let notified = false;
  let resume: (() => void) | undefined;
  const notify = (): void => {
    notified = true;
    resume?.();
  };
  return {
    notify,
    wait: async (signal) => {
      if (!notified && !signal.aborted) {
        await new Promise<void>((resolve) => {
          resume = resolve;
          signal.addEventListener('abort', notify, { once: true });
        });
        signal.removeEventListener('abort', notify);
        resume = undefined;
      }
      notified = false;
    },
  };
}
