/**
 * One life of a simulated process. After `kill`, nothing that it waits for ever comes back, which is what SIGKILL does:
 * no clean-up runs, and what it had handed to the disk or the network goes its own way.
 */
export interface ProcessLife {
  readonly alive: boolean;
  /** SIGSTOP was sent, and no SIGCONT. */
  readonly frozen: boolean;
  /** Calls that the process has waited for: between two of them nothing of it can be seen from outside. */
  readonly steps: number;
  kill(): void;
  /** Kills the process in the n-th call that it waits for: the call has begun, and its result never arrives. */
  killAtStep(step: number): void;
  /** SIGSTOP: results wait until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Runs once, when the process dies. */
  onDeath(run: () => void): void;
  /** Passes a result on, or never settles when the process is dead by then. */
  through<T>(promise: Promise<T>): Promise<T>;
}

export function processLife(): ProcessLife {
  let alive = true;
  let frozen = false;
  let steps = 0;
  let lastStep = Infinity;
  let waiting: (() => void)[] = [];
  const mourners: (() => void)[] = [];

  const kill = (): void => {
    if (!alive) return;
    alive = false;
    for (const run of mourners) run();
  };
  const deliver = (result: () => void): void => {
    if (!alive) return;
    if (frozen) waiting.push(result);
    else result();
  };

  return {
    get alive() {
      return alive;
    },
    get frozen() {
      return frozen;
    },
    get steps() {
      return steps;
    },
    kill,
    killAtStep: (step) => {
      lastStep = step;
    },
    freeze: () => {
      frozen = true;
    },
    thaw: () => {
      frozen = false;
      const results = waiting;
      waiting = [];
      for (const result of results) if (alive) result();
    },
    onDeath: (run) => {
      mourners.push(run);
    },
    through: (promise) => {
      steps += 1;
      if (steps >= lastStep) kill();
      return new Promise((resolve, reject) => {
        promise.then(
          (value) => deliver(() => resolve(value)),
          (error: unknown) =>
            deliver(() => reject(error instanceof Error ? error : new Error(String(error)))),
        );
      });
    },
  };
}
