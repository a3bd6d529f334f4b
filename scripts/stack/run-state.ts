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

export const RUN_DIR = join(projectRoot(), '.stack', 'run');
export const DATA_DIR = join(RUN_DIR, 'data');
export const HOLDER_LOG = join(RUN_DIR, 'stack.log');
const STATE_FILE = join(RUN_DIR, 'state.json');

/** The state of a stack that is there; what a killed holder left does not count. */
export function readRunState(): RunState | undefined {
  let state: RunState;
  try {
    state = JSON.parse(readFileSync(STATE_FILE, 'utf8'));
  } catch {
    return undefined;
  }
  return isAlive(state.holder) ? state : undefined;
}

/** False when another stack is there or is being started: the file appears whole, for one holder only. */
export function claimRunState(state: RunState): boolean {
  if (readRunState() !== undefined) return false;
  rmSync(STATE_FILE, { force: true });
  const draft = writeDraft(state);
  try {
    linkSync(draft, STATE_FILE);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

export function updateRunState(state: RunState): void {
  renameSync(writeDraft(state), STATE_FILE);
}

/** Only the holder removes its own state. */
export function removeRunState(holder: ProcessIdentity): void {
  if (readRunState()?.holder.pid === holder.pid) rmSync(STATE_FILE, { force: true });
}

function writeDraft(state: RunState): string {
  mkdirSync(RUN_DIR, { recursive: true });
  const draft = `${STATE_FILE}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(state, undefined, 2)}\n`);
  return draft;
}
