import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { spawnWithLifeline } from './lifeline.ts';

const KILL_TIMEOUT_MS = 10_000;

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface SupervisedChild {
  readonly pid: number;
  /** Resolves when the process is gone, however it went. */
  readonly exited: Promise<ChildExit>;
  isRunning(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL when it is still there after `graceMs`; 0 kills at once. */
  end(graceMs: number): Promise<void>;
}

/** Starts a long-lived child that appends its output to `logFile` and ends with this process at the latest. */
export function startSupervised(
  command: string,
  args: readonly string[],
  { logFile, env = process.env }: { logFile: string; env?: NodeJS.ProcessEnv },
): SupervisedChild {
  const log = openSync(logFile, 'a');
  const { child, release } = spawnWithLifeline(command, args, { stdio: ['ignore', log, log], env });
  closeSync(log);
  const pid = child.pid!;
  let running = true;
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('exit', (code, signal) => {
      running = false;
      release();
      resolve({ code, signal });
    });
  });
  const signal = (name: NodeJS.Signals): void => {
    if (running) child.kill(name);
  };

  return {
    pid,
    exited,
    isRunning: () => running,
    signal,
    async end(graceMs) {
      if (graceMs > 0) {
        // A stopped process takes no SIGTERM until it continues.
        signal('SIGCONT');
        signal('SIGTERM');
        await settledWithin(exited, graceMs);
      }
      signal('SIGKILL');
      if (!(await settledWithin(exited, KILL_TIMEOUT_MS))) {
        throw new Error(`process ${pid} is still there ${KILL_TIMEOUT_MS} ms after SIGKILL`);
      }
    },
  };
}

async function settledWithin(exited: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const timeout = delay(timeoutMs, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([exited.then(() => true), timeout]);
  } finally {
    timer.abort();
  }
}
