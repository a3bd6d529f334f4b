import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { projectRoot } from './project-root.ts';
import type { S3Access } from './s3proxy.ts';
import type { StackBroker } from './stack.ts';

/** What the background stack says of itself to later commands. */
export interface RunState {
  version: 1;
  /** The process that holds the stack; the stack ends with it. */
  holder: ProcessIdentity;
  /** ISO 8601. */
  startedAt: string;
  /** Absent until everything answers. */
  ready?: {
    bootstrap: readonly string[];
    brokers: readonly StackBroker[];
    s3: S3Access;
    s3Pid: number | undefined;
  };
}

/** One background stack and all it keeps. */
export interface RunDir {
  stateFile: string;
  dataDir: string;
  /** What the holder itself had to say; the parts have logs of their own in the data directory. */
  logFile: string;
}

export function runDir(path: string = join(projectRoot(), '.stack', 'run')): RunDir {
  mkdirSync(path, { recursive: true });
  return {
    stateFile: join(path, 'state.json'),
    dataDir: join(path, 'data'),
    logFile: join(path, 'stack.log'),
  };
}

/** The state of a stack that is there; what a killed holder left does not count. */
export function readRunState({ stateFile }: RunDir): RunState | undefined {
  let state: RunState;
  try {
    state = JSON.parse(readFileSync(stateFile, 'utf8'));
  } catch {
    return undefined;
  }
  return isAlive(state.holder) ? state : undefined;
}

/** False when another stack is there or is being started: the file appears whole, for one holder only. */
export function claimRunState(run: RunDir, state: RunState): boolean {
  if (readRunState(run) !== undefined) return false;
  rmSync(run.stateFile, { force: true });
  const draft = writeDraft(run, state);
  try {
    linkSync(draft, run.stateFile);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

export function updateRunState(run: RunDir, state: RunState): void {
  renameSync(writeDraft(run, state), run.stateFile);
}

/** Only the holder removes its own state. */
export function removeRunState(run: RunDir, holder: ProcessIdentity): void {
  if (readRunState(run)?.holder.pid === holder.pid) rmSync(run.stateFile, { force: true });
}

function writeDraft({ stateFile }: RunDir, state: RunState): string {
  const draft = `${stateFile}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(state, undefined, 2)}\n`);
  return draft;
}
