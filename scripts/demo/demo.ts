/**
 * The demo: source -> stack -> agents and transporters -> until all is carried -> read back -> verdict. Whatever is
 * started is let go in reverse order, however it ends.
 */
import { join } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import { createTopic, topicIsReady } from '../stack/kafka-admin.ts';
import { startStack } from '../stack/stack.ts';
import type { LocalStack } from '../stack/stack.ts';
import { waitFor } from '../stack/wait-for.ts';
import { carryLines } from './carry.ts';
import { NO_CHAOS, planChaos } from './chaos.ts';
import type { Chaos } from './chaos.ts';
import { UsageError } from './demo-error.ts';
import { requireDiskSpace } from './disk-space.ts';
import { createObserver } from './figures.ts';
import { GROUP, PREFIX, prepareFleet, TOPIC } from './fleet.ts';
import type { Fleet } from './fleet.ts';
import { openGeneratedSource } from './generated-source.ts';
import { describeRunning } from './hints.ts';
import type { LineSource } from './line-source.ts';
import type { DemoOptions } from './options.ts';
import { readBack } from './read-back.ts';
import { describeCosts, describeVerdict } from './report.ts';
import type { Screen } from './screen.ts';
import type { SkaldProcess } from './skald-process.ts';
import { openUserFiles } from './user-files.ts';
import { openUserSource } from './user-source.ts';
import { openWitness } from './witness.ts';
import { createWorkspace } from './workspace.ts';
import type { Workspace } from './workspace.ts';

/** Brokers 1 to 3 are in rack-a to rack-c: each rack leads two partitions and has a replica of all. */
const REPLICAS = [
  [1, 2, 3],
  [2, 3, 1],
  [3, 1, 2],
  [1, 3, 2],
  [2, 1, 3],
  [3, 2, 1],
];
const TOPIC_TIMEOUT_MS = 30_000;
/** With --chaos lines must still be coming when the second process is killed and comes back. */
const CHAOS_MIN_SECONDS = 15;

interface Run {
  options: DemoOptions;
  screen: Screen;
  workspace: Workspace;
  startedAt: number;
  /** Undone in reverse order; hears whether what the run leaves is kept. */
  undo: ((isKept: boolean) => Promise<unknown>)[];
  /** Ends the run from outside of its flow. */
  fail: (error: unknown) => void;
  /** Aborted by `fail` and by the caller. */
  signal: AbortSignal;
}

/**
 * Runs the demo and reports on `screen`. True when every line arrived exactly once. When not, what is needed to find out
 * why is kept, unless the caller ended the run.
 * @throws UsageError before anything is started; DemoError or StackError for a failure; the reason of `signal`
 */
export async function runDemo(options: DemoOptions, screen: Screen, signal: AbortSignal): Promise<boolean> {
  const failure = new AbortController();
  const workspace = await createWorkspace();
  const run: Run = {
    options,
    screen,
    workspace,
    startedAt: performance.now(),
    undo: [],
    fail: (error) => failure.abort(error),
    signal: AbortSignal.any([signal, failure.signal]),
  };
  let isKept = true;
  try {
    const exactlyOnce = await carryAndCheck(run, signal);
    isKept = !exactlyOnce;
    return exactlyOnce;
  } catch (error) {
    isKept = !(error instanceof UsageError) && !signal.aborted;
    // Why the run was ended says more than what was interrupted by it.
    if (!signal.aborted) failure.signal.throwIfAborted();
    throw error;
  } finally {
    screen.settle();
    if (isKept) workspace.keep();
    if (signal.aborted) screen.print('Ending everything that was started.');
    for (const undo of run.undo.reverse()) {
      // One that fails must not keep the others from theirs.
      await undo(isKept).catch((error: unknown) => screen.print(`while cleaning up: ${messageOf(error)}`));
    }
    if (isKept)
      screen.print(`What this run left is kept in ${workspace.path}; remove it when you have seen it.`);
    else await workspace.remove();
  }
}

async function carryAndCheck(run: Run, interrupt: AbortSignal): Promise<boolean> {
  const { options, screen, signal, undo } = run;
  const source = await openSource(run);
  undo.push(() => source.close());
  for (const line of source.summary) screen.print(line);
  await requireDiskSpace(run.workspace.path, source.diskBytes);

  const stack = await startDemoStack(run);
  const agentsStartedAt = performance.now();
  const fleet = await startFleet(run, stack, source.include);
  const witness = await openWitness(stack.bootstrap, { topic: TOPIC, group: GROUP });
  undo.push(() => witness.close());
  const chaos = options.chaos ? chaosOf(run, source, fleet) : NO_CHAOS;
  const linesSince = source.start(agentsStartedAt);
  const observer = createObserver(source, witness, fleet, linesSince);
  const times = await carryLines({ source, fleet, observer, chaos, screen, signal });

  if (!options.keep) await stopAll(fleet.workers);
  const check = await source.openCheck();
  const { verdict, objects, textBytes } = await readBack(stack.s3, PREFIX, check, { screen, signal });
  const costs = {
    ...times,
    figures: observer.last,
    totalMs: performance.now() - run.startedAt,
    agentCpuSeconds: cpuSecondsOf(fleet.agents),
    workerCpuSeconds: cpuSecondsOf(fleet.workers),
    objects,
    textBytes,
  };
  for (const line of ['', ...describeVerdict(verdict), '', ...describeCosts(costs)]) screen.print(line);
  if (options.keep) await keepRunning(run, stack, fleet, interrupt);
  return verdict.exactlyOnce;
}

async function openSource({ options, workspace, fail }: Run): Promise<LineSource> {
  if (options.paths.length > 0) return openUserSource(await openUserFiles(options.paths));
  return openGeneratedSource({
    lines: options.lines,
    seed: options.seed,
    directory: workspace.path,
    minSeconds: options.chaos ? CHAOS_MIN_SECONDS : 0,
    logFile: workspace.logOf('generator'),
    onFailure: fail,
  });
}

async function startDemoStack({ screen, signal, undo, workspace }: Run): Promise<LocalStack> {
  screen.print('Starting three Kafka brokers in three racks, and S3, on loopback:');
  const stack = await orAbort(startStack({ onProgress: (line) => screen.print(`  ${line}`) }), signal);
  undo.push(async (isKept) => {
    if (isKept) {
      await workspace.saveCopy(join(stack.dataDir, 'logs'), 'stack-logs');
      await workspace.saveCopy(stack.objectsDir, 'objects');
    }
    await stack.stop();
  });
  await createTopic(stack.bootstrap, TOPIC, { partitions: REPLICAS.length, replicaAssignment: REPLICAS });
  await waitFor(() => topicIsReady(stack.bootstrap, TOPIC, REPLICAS.length), {
    timeoutMs: TOPIC_TIMEOUT_MS,
    what: `all leaders of topic ${TOPIC}`,
    signal,
  });
  return stack;
}

async function startFleet(
  { workspace, screen, signal, undo, fail }: Run,
  stack: LocalStack,
  include: LineSource['include'],
): Promise<Fleet> {
  const { bootstrap, s3 } = stack;
  const fleet = await prepareFleet({ workspace, bootstrap, s3, include, onUnexpectedEnd: fail });
  const all = [...fleet.agents, ...fleet.workers];
  undo.push(() => Promise.all(all.map((process) => process.kill())));
  await Promise.all(all.map((process) => process.start(signal)));
  for (const { name, pid, statusUrl } of all)
    screen.print(`  ${name} is ready (process ${pid}, ${statusUrl}/metrics)`);
  return fleet;
}

function chaosOf({ screen, fail, signal, options }: Run, source: LineSource, fleet: Fleet): Chaos {
  return planChaos({
    lines: source.total?.lines ?? options.lines,
    agent: fleet.agents[0]!,
    worker: fleet.workers[0]!,
    say: (text) => screen.print(text),
    onFailure: fail,
    signal,
  });
}

/** Until the caller ends it, which is no failure here, or something dies. */
async function keepRunning(run: Run, stack: LocalStack, fleet: Fleet, interrupt: AbortSignal): Promise<void> {
  const { screen, signal, workspace } = run;
  await Promise.all(fleet.agents.map((agent) => agent.start(signal)));
  for (const line of ['', ...describeRunning(stack, fleet, workspace)]) screen.print(line);
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
  if (!interrupt.aborted) signal.throwIfAborted();
}

/** A result that comes too late is for nobody: what it started ends with this process. */
async function orAbort<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  result.catch(() => {});
  signal.throwIfAborted();
  const isAborted = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([result, isAborted]);
  signal.throwIfAborted();
  return result;
}

async function stopAll(processes: readonly SkaldProcess[]): Promise<void> {
  await Promise.all(processes.map((process) => process.stop()));
}

function cpuSecondsOf(processes: readonly SkaldProcess[]): number | undefined {
  let sum = 0;
  for (const process of processes) {
    const seconds = process.cpuSeconds();
    if (seconds === undefined) return undefined;
    sum += seconds;
  }
  return sum;
}
