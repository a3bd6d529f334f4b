import { AGENT_METRICS } from '../../shared/telemetry/agent-metrics.ts';
import { TRANSPORTER_METRICS } from '../../shared/telemetry/transporter-metrics.ts';
import type { Fleet } from './fleet.ts';
import type { Written } from './generate.ts';
import type { LineSource } from './line-source.ts';
import type { SkaldProcess } from './skald-process.ts';
import type { Witness } from './witness.ts';

/** Where the lines are at one moment, and what it took to bring them there. */
export interface Figures {
  /** Since the lines began to come. */
  elapsedMs: number;
  written: Written;
  /** Records, by the brokers' own offsets. */
  linesInKafka: number;
  /** Records before the committed offsets, which are in S3. */
  linesInS3: number;
  /** Of acknowledged batches, before and after compression by the agents. */
  rawBytes: number;
  batchBytes: number;
  /** Of client traffic: batches that agents produced and transporters fetched, and those of them that crossed racks. */
  clientBytes: number;
  crossRackBytes: number;
}

export interface Observer {
  /** Asks brokers, agents and transporters; what does not answer keeps its last value. */
  look(): Promise<Figures>;
  readonly last: Figures;
}

/** `startedAt`, by the clock of `performance.now()`, is where `elapsedMs` is 0. */
export function createObserver(
  source: LineSource,
  witness: Witness,
  fleet: Fleet,
  startedAt: number,
): Observer {
  let last: Figures = {
    elapsedMs: 0,
    written: source.written,
    linesInKafka: 0,
    linesInS3: 0,
    rawBytes: 0,
    batchBytes: 0,
    clientBytes: 0,
    crossRackBytes: 0,
  };

  const look = async (): Promise<Figures> => {
    // Those at the end are asked first, so that no line is ahead of itself.
    const linesInS3 = await witness.recordsCommitted().catch(() => last.linesInS3);
    const linesInKafka = await witness.recordsInTopic().catch(() => last.linesInKafka);
    await Promise.all([...fleet.agents, ...fleet.workers].map((process) => process.look()));
    const batchBytes = sumOf(fleet.agents, AGENT_METRICS.acknowledgedCompressedBytes.name);
    last = {
      elapsedMs: performance.now() - startedAt,
      written: source.written,
      linesInKafka,
      linesInS3,
      rawBytes: sumOf(fleet.agents, AGENT_METRICS.acknowledgedBytes.name),
      batchBytes,
      clientBytes: batchBytes + sumOf(fleet.workers, TRANSPORTER_METRICS.fetchedBytes.name),
      crossRackBytes:
        sumOf(fleet.agents, AGENT_METRICS.crossRackBytes.name) +
        sumOf(fleet.workers, TRANSPORTER_METRICS.crossRackBytes.name),
    };
    return last;
  };

  return {
    look,
    get last() {
      return last;
    },
  };
}

function sumOf(processes: readonly SkaldProcess[], metric: string): number {
  return processes.reduce((sum, process) => sum + process.counter(metric), 0);
}
