import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { projectRoot } from '../../scripts/stack/project-root.ts';
import { spawnWithLifeline } from '../../scripts/stack/lifeline.ts';
import { waitFor } from './wait-for.ts';

const DEFAULT_TIMEOUT_MS = 60_000;
const SKALD = join(projectRoot(), 'dist', 'cli', 'main.js');

export interface SkaldOptions {
  /** Added to the environment of the tests. */
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
}

export interface SkaldExit {
  /** Null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunningSkald {
  readonly pid: number;
  /** What it wrote so far. */
  stdout(): string;
  stderr(): string;
  signal(signal: NodeJS.Signals): void;
  /** Rejects with its output when it is still there after `timeoutMs`. */
  exited(timeoutMs?: number): Promise<SkaldExit>;
}

/** Starts the built `skald` (run `npm run build` first) and ends it with the current test at the latest. */
export function startSkald(args: readonly string[], { env = {} }: SkaldOptions = {}): RunningSkald {
  const { child, release } = spawnWithLifeline(process.execPath, [SKALD, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  let exit: SkaldExit | undefined;
  child.once('exit', release);
  child.once('close', (code, signal) => {
    exit = { code, signal, ...output };
  });
  const exited = (timeoutMs = DEFAULT_TIMEOUT_MS): Promise<SkaldExit> =>
    waitFor(() => exit, { timeoutMs, what: `skald ${args.join(' ')} exits` }).catch((error: unknown) => {
      throw new Error(`skald ${args.join(' ')}\n${output.stdout}\n${output.stderr}`, { cause: error });
    });
  const signal = (name: NodeJS.Signals): void => {
    if (exit === undefined) child.kill(name);
  };
  onTestFinished(async () => {
    signal('SIGKILL');
    await exited();
  });
  return { pid: child.pid!, stdout: () => output.stdout, stderr: () => output.stderr, signal, exited };
}

/** Runs the built `skald` to its end. Rejects with its output when that takes longer than `timeoutMs`. */
export async function runSkald(args: readonly string[], options: SkaldOptions = {}): Promise<SkaldExit> {
  return startSkald(args, options).exited(options.timeoutMs);
}
