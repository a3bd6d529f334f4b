import { join } from 'node:path';
import { LOOPBACK } from '../stack/ports.ts';
import { projectRoot } from '../stack/project-root.ts';
import { createService } from '../stack/service.ts';
import { startSupervised } from '../stack/supervised-child.ts';
import type { ChildExit, SupervisedChild } from '../stack/supervised-child.ts';
import { waitFor } from '../stack/wait-for.ts';
import { cpuSecondsOf } from './cpu-time.ts';
import { DemoError } from './demo-error.ts';
import { logTail } from './log-tail.ts';
import { parsePrometheus } from './prometheus-text.ts';

export interface SkaldProcessOptions {
  /** Such as `agent-a`; for people. */
  name: string;
  /** As after `skald`. */
  args: readonly string[];
  statusPort: number;
  logFile: string;
  /** It ended although nobody asked it to. */
  onUnexpectedEnd: (error: DemoError) => void;
}

/** An agent or a transporter worker as users run them: the built `skald`, in a process of its own. */
export interface SkaldProcess {
  readonly name: string;
  readonly statusUrl: string;
  readonly logFile: string;
  readonly pid: number | undefined;
  /** Resolves when it says that it is ready. Rejects with the end of its log when it does not come to that. */
  start(signal: AbortSignal): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM; rejects when it does not end in time or not with exit code 0. */
  stop(): Promise<void>;
  /** Reads its metrics; while it is down, or does not answer, what was read before stays. */
  look(): Promise<void>;
  /** What `/status` says now; undefined while it is down or does not answer. */
  status(): Promise<unknown>;
  /** The sum of a counter over all labels and over all lives of this process, as of the last look. */
  counter(metric: string): number;
  /** CPU time since it was ready, over all its lives: what it costs to work, not to start. Undefined without /proc. */
  cpuSeconds(): number | undefined;
}

const READY_TIMEOUT_MS = 60_000;
/** More than `shutdownTimeoutMs` in its configuration. */
const STOP_TIMEOUT_MS = 40_000;
const LOOK_TIMEOUT_MS = 2000;

export function createSkaldProcess(options: SkaldProcessOptions): SkaldProcess {
  const { name, logFile } = options;
  const statusUrl = `http://${LOOPBACK}:${options.statusPort}`;
  const command = [join(projectRoot(), 'dist', 'cli', 'main.js'), ...options.args];
  let child: SupervisedChild | undefined;
  let endIsAskedFor = false;
  let now = new Map<string, number>();
  /** What earlier lives counted. */
  const before = new Map<string, number>();
  let cpuBefore = 0;
  let cpuWhenReady = 0;

  const service = createService(name, logFile, () => {
    endIsAskedFor = false;
    cpuWhenReady = 0;
    const started = startSupervised(process.execPath, command, { logFile });
    child = started;
    void started.exited.then((exit) => {
      if (!endIsAskedFor) options.onUnexpectedEnd(unexpectedEnd(name, exit, logFile));
    });
    return started;
  });
  const cpuOfThisLife = (): number | undefined => {
    if (!child?.isRunning()) return 0;
    const seconds = cpuSecondsOf(child.pid);
    return seconds === undefined ? undefined : seconds - cpuWhenReady;
  };
  const look = async (): Promise<void> => {
    if (!child?.isRunning()) return;
    const text = await httpText(`${statusUrl}/metrics`).catch(() => undefined);
    if (text !== undefined) now = parsePrometheus(text);
  };
  /** A new life starts its counters at zero. */
  const bookThisLife = async (): Promise<void> => {
    await look();
    for (const [metric, value] of now) before.set(metric, (before.get(metric) ?? 0) + value);
    cpuBefore += cpuOfThisLife() ?? 0;
    now = new Map();
  };

  return {
    name,
    statusUrl,
    logFile,
    get pid() {
      return service.pid();
    },
    async start(signal) {
      service.start();
      const isReady = async (): Promise<boolean> => (await fetchBounded(`${statusUrl}/readyz`)).ok;
      await service.whileRunning((ended) =>
        waitFor(isReady, {
          timeoutMs: READY_TIMEOUT_MS,
          what: `${statusUrl}/readyz answers 200`,
          signal: AbortSignal.any([ended, signal]),
        }),
      );
      cpuWhenReady = cpuSecondsOf(child!.pid) ?? 0;
    },
    async kill() {
      await bookThisLife();
      endIsAskedFor = true;
      await service.end(0);
    },
    async stop() {
      if (!child?.isRunning()) return;
      await bookThisLife();
      endIsAskedFor = true;
      await service.end(STOP_TIMEOUT_MS);
      const exit = await child.exited;
      if (exit.code !== 0) throw unexpectedEnd(`${name}, asked to stop,`, exit, logFile);
    },
    look,
    async status() {
      if (!child?.isRunning()) return undefined;
      return httpText(`${statusUrl}/status`).then(
        (text): unknown => JSON.parse(text),
        () => undefined,
      );
    },
    counter: (metric) => (before.get(metric) ?? 0) + (now.get(metric) ?? 0),
    cpuSeconds() {
      const seconds = cpuOfThisLife();
      return seconds === undefined ? undefined : cpuBefore + seconds;
    },
  };
}

function unexpectedEnd(name: string, { code, signal }: ChildExit, logFile: string): DemoError {
  return new DemoError(`${name} ended with ${signal ?? `exit code ${code}`}\n${logTail(logFile)}`);
}

async function httpText(url: string): Promise<string> {
  return (await fetchBounded(url)).text();
}

async function fetchBounded(url: string): Promise<Response> {
  return fetch(url, { signal: AbortSignal.timeout(LOOK_TIMEOUT_MS) });
}
