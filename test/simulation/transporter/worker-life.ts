/**
 * One life of a simulated worker. A killed one never hears of anything again; a frozen one (a long pause of
 * the machine, a SIGSTOP) hears of everything later, when others have taken over its work. What it had sent
 * before goes its own way in both cases.
 */
export interface WorkerLife {
  readonly isDead: boolean;
  /** Virtual time since when it is frozen; undefined while it is not. */
  readonly frozenSinceMs: number | undefined;
  kill(): void;
  freeze(nowMs: number): void;
  thaw(): void;
  /** Passes a result on: at once, at the thaw, or never. */
  through<T>(promise: Promise<T>): Promise<T>;
}

export function workerLife(): WorkerLife {
  let isDead = false;
  let frozenSinceMs: number | undefined;
  let held: (() => void)[] = [];

  const pass = (settle: () => void): void => {
    if (isDead) return;
    if (frozenSinceMs === undefined) settle();
    else held.push(() => pass(settle));
  };

  return {
    get isDead() {
      return isDead;
    },
    get frozenSinceMs() {
      return frozenSinceMs;
    },
    kill: () => {
      isDead = true;
    },
    freeze: (nowMs) => {
      frozenSinceMs ??= nowMs;
    },
    thaw: () => {
      frozenSinceMs = undefined;
      const waiting = held;
      held = [];
      for (const settle of waiting) settle();
    },
    through: (promise) =>
      new Promise((resolve, reject) => {
        promise.then(
          (value) => pass(() => resolve(value)),
          (error: unknown) => pass(() => reject(error instanceof Error ? error : new Error(String(error)))),
        );
      }),
  };
}
