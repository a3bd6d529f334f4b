/**
 * One life of a simulated process. After `kill`, nothing that it waits for ever comes back, which is what SIGKILL does:
 * no clean-up runs, and what it had handed to the disk or the network goes its own way.
 */
export interface ProcessLife {
  readonly alive: boolean;
  kill(): void;
  /** Passes a result on, or never settles when the process is dead by then. */
  through<T>(promise: Promise<T>): Promise<T>;
}

export function processLife(): ProcessLife {
  let alive = true;
  return {
    get alive() {
      return alive;
    },
    kill: () => {
      alive = false;
    },
    through: (promise) =>
      new Promise((resolve, reject) => {
        promise.then(
          (value) => {
            if (alive) resolve(value);
          },
          (error: unknown) => {
            if (alive) reject(error instanceof Error ? error : new Error(String(error)));
          },
        );
      }),
  };
}
