import { fork } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot } from './project-root.ts';
import { fixedPorts } from './fixed-ports.ts';
import type { HolderMessage } from './holder.ts';
import { portHolder } from './port-holder.ts';
import { isFree } from './ports.ts';
import { isAlive } from './process-identity.ts';
import { readRunState, runDir } from './run-state.ts';
import type { RunDir, RunState } from './run-state.ts';
import { StackError } from './stack-error.ts';
import { waitFor } from './wait-for.ts';

/** The holder has bounds of its own; these are for a holder that hangs. */
const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 60_000;
const KILL_TIMEOUT_MS = 10_000;

export interface StartOptions {
  /** Where the stack keeps its state, data and logs; one stack for each. */
  directory: string | undefined;
  portOffset: number;
  /** Forgets the data of the last time. */
  fresh: boolean;
  onProgress: (line: string) => void;
}

/**
 * Starts the background stack and returns when it answers. Throws a StackError when one is there already, a port is
 * taken or a part does not come up.
 */
export async function startInBackground({
  directory,
  portOffset,
  fresh,
  onProgress,
}: StartOptions): Promise<RunState> {
  const run = runDir(directory);
  const present = readRunState(run);
  if (present !== undefined) {
    const what = present.ready === undefined ? 'is being started' : 'is running';
    throw new StackError(`a local stack ${what} already (process ${present.holder.pid})`);
  }
  await checkPorts(portOffset);
  if (fresh) rmSync(run.dataDir, { recursive: true, force: true });
  await launchHolder(run, portOffset, onProgress);
  const state = readRunState(run);
  if (state?.ready === undefined) throw new StackError(`the local stack ended at once; see ${run.logFile}`);
  return state;
}

/** False when none was there. Ends only the process that this checkout's state names, by id and start time. */
export async function stopInBackground(directory: string | undefined): Promise<boolean> {
  const state = readRunState(runDir(directory));
  if (state === undefined) return false;
  process.kill(state.holder.pid, 'SIGTERM');
  const isGone = (): boolean => !isAlive(state.holder);
  try {
    await waitFor(isGone, { timeoutMs: STOP_TIMEOUT_MS, what: 'the stack stops' });
  } catch {
    process.kill(state.holder.pid, 'SIGKILL');
    await waitFor(isGone, { timeoutMs: KILL_TIMEOUT_MS, what: 'the stack ends' });
  }
  return true;
}

async function checkPorts(offset: number): Promise<void> {
  const { brokers, controllers, s3 } = fixedPorts(offset);
  const taken: string[] = [];
  for (const port of [...brokers, ...controllers, s3]) {
    if (!(await isFree(port)))
      taken.push(`port ${port} is taken by ${portHolder(port) ?? 'another process'}`);
  }
  if (taken.length === 0) return;
  throw new StackError(`${taken.join('\n')}\nFree the ports, or move all of the stack's with --port-offset.`);
}

async function launchHolder(
  run: RunDir,
  portOffset: number,
  onProgress: (line: string) => void,
): Promise<void> {
  const log = openSync(run.logFile, 'a');
  const program = join(projectRoot(), 'dist', 'scripts', 'stack', 'holder.js');
  const holder = fork(program, [dirname(run.stateFile), String(portOffset)], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(
        () => reject(new StackError(`not ready after ${START_TIMEOUT_MS} ms`)),
        START_TIMEOUT_MS,
      );
      holder.on('message', (message: HolderMessage) => {
        if (message.kind === 'progress') onProgress(message.line);
        else if (message.kind === 'ready') resolve();
        else reject(new StackError(message.message));
      });
      holder.once('error', reject);
      holder.once('exit', () =>
        reject(new StackError(`the local stack ended before it was ready; see ${run.logFile}`)),
      );
    });
  } finally {
    clearTimeout(timer);
    // A holder that is not ready takes the end of the channel as the order to stop.
    if (holder.connected) holder.disconnect();
    holder.unref();
  }
}
