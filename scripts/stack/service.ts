import { readFile } from 'node:fs/promises';
import { messageOf } from '../../shared/errors.ts';
import { StackError } from './stack-error.ts';
import type { SupervisedChild } from './supervised-child.ts';

const TAIL_LINES = 30;

/** One part of the stack that can be ended and started again any number of times. */
export interface Service {
  start(): void;
  /** Undefined while it is down. */
  pid(): number | undefined;
  signal(signal: NodeJS.Signals): void;
  /** Nothing happens when it is down. */
  end(graceMs: number): Promise<void>;
  /**
   * The result of `wait`, which is aborted when the process ends first. Throws a StackError with the end of the log
   * then, and also when the wait fails.
   */
  whileRunning<T>(wait: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

export function createService(name: string, logFile: string, launch: () => SupervisedChild): Service {
  let child: SupervisedChild | undefined;

  return {
    start() {
      if (child?.isRunning()) throw new Error(`${name} is running already`);
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
        throw new StackError(`${name} is not ready: ${messageOf(error)}\n${await tailOf(logFile)}`, {
          cause: error,
        });
      } finally {
        ending.abort();
      }
    },
  };
}

async function tailOf(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  const lines = text.trimEnd().split('\n').slice(-TAIL_LINES);
  return `the end of ${logFile}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
