import { stateOf } from './agent-state.ts';
import type { Chaos } from './chaos.ts';
import type { Figures, Observer } from './figures.ts';
import type { Fleet } from './fleet.ts';
import { formatCount } from './format.ts';
import type { LineSource } from './line-source.ts';
import { logTail } from './log-tail.ts';
import { createProgress } from './progress.ts';
import type { Screen } from './screen.ts';
import type { SkaldProcess } from './skald-process.ts';
import { watchUntilDone } from './watch.ts';

export interface CarryOptions {
  source: LineSource;
  fleet: Fleet;
  observer: Observer;
  chaos: Chaos;
  screen: Screen;
  signal: AbortSignal;
}

const LOOK_INTERVAL_MS = 250;
const STALL_TIMEOUT_MS = 60_000;
/** Agents that have sent all they have, and nothing changes any more: what is not there now is lost. */
const QUIET_MS = 10_000;

/**
 * Shows progress until all lines are in Kafka, stops the agents, and goes on until all of it is in S3. Lines that do not
 * come although the agents have nothing left are for the verdict to report; what hangs is a failure.
 */
export async function carryLines(options: CarryOptions): Promise<{ intoKafkaMs: number; intoS3Ms: number }> {
  const { source, fleet, observer, chaos, screen, signal } = options;
  const progress = createProgress();
  const look = async (): Promise<Figures> => {
    const figures = await observer.look();
    screen.show(progress(figures));
    chaos.consider(figures);
    return figures;
  };
  const evidence = (processes: readonly SkaldProcess[]) => (): string => {
    const { written, linesInKafka, linesInS3 } = observer.last;
    const counts = `written ${formatCount(written.lines)}, in Kafka ${formatCount(linesInKafka)}, in S3 ${formatCount(linesInS3)}`;
    return [counts, ...processes.map(({ logFile }) => logTail(logFile))].join('\n');
  };
  const bounds = { intervalMs: LOOK_INTERVAL_MS, stallTimeoutMs: STALL_TIMEOUT_MS, signal };

  screen.settle();
  const isQuiet = quietFor(QUIET_MS);
  await watchUntilDone(
    async () => {
      const figures = await look();
      const state = await stateOf(fleet.agents);
      const records = figures.linesInKafka;
      const isCarried = state !== undefined && source.isCarried({ records, ...state });
      const isIdle = source.total !== undefined && state?.lagBytes === 0;
      const isDone = chaos.isOver && (isCarried || (isQuiet(String(records)) && isIdle));
      return { isDone, progress: `${figures.written.lines} ${records}` };
    },
    { ...bounds, what: 'the lines reach Kafka', evidence: evidence(fleet.agents) },
  );
  const intoKafkaMs = observer.last.elapsedMs;
  await Promise.all(fleet.agents.map((agent) => agent.stop()));

  await watchUntilDone(
    async () => {
      const { linesInKafka, linesInS3 } = await look();
      return { isDone: linesInS3 === linesInKafka, progress: String(linesInS3) };
    },
    { ...bounds, what: 'the lines reach S3', evidence: evidence(fleet.workers) },
  );
  screen.settle();
  return { intoKafkaMs, intoS3Ms: observer.last.elapsedMs };
}

/** Whether a value has been the same for so long. */
function quietFor(quietMs: number): (value: string) => boolean {
  let last: string | undefined;
  let since = performance.now();
  return (value) => {
    if (value !== last) {
      last = value;
      since = performance.now();
    }
    return performance.now() - since >= quietMs;
  };
}
