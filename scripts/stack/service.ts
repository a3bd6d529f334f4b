import { statSync } from 'node:fs';
import { messageOf } from '../../shared/errors.ts';
import { describeLog } from './log-excerpt.ts';
import { StackError } from './stack-error.ts';
import type { SupervisedChild } from './supervised-child.ts';

/** One part of the stack that can be ended and started again any number of times. */
export interface Service {
  start(): void;
  /** Undefined while it is down. */
  pid(): number | undefined;
  signal(signal: NodeJS.Signals): void;
  /** Nothing happens when it is down. */
  end(graceMs: number): Promise<void>;
  /**
   * The result of `wait`, which is aborted when the process ends first. Throws a StackError that quotes the log
   * then, and also when the wait fails.
   */
  whileRunning<T>(wait: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

export function createService(name: string, logFile: string, launch: () => SupervisedChild): Service {
  let child: SupervisedChild | undefined;
  // Earlier runs wrote to the same file; an error tells of this one.
  let logOffset = 0;

  return {
    start() {
      if (child?.isRunning()) throw new Error(`${name} is running already`);
      logOffset = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
      child = launch();
    },
    pid: () => (child?.isRunning() ? child.pid : undefined),
    signal: (signal) => child?.signal(signal),
    end: async (graceMs) => child?.end(graceMs),
    async whileRunning(wait) {
      if (child === undefined) throw new Error(`${name} was not started`);
      const ending = new AbortController();
      const ended = child.exited.then(({ code, signal }) => {
        throw new Error(`it ended with ${signal ?? `exit code ${code}`}`);
      });
      try {
        return await Promise.race([wait(ending.signal), ended]);
      } catch (error) {
        throw new StackError(
          `${name} is not ready: ${messageOf(error)}\n${await describeLog(logFile, logOffset)}`,
          {
            cause: error,
          },
        );
      } finally {
        ending.abort();
      }
    },
  };
}
