/** One pipeline of the agent in a world of its own: disk, brokers, time and chance all come from one seed. */
import { inlineEncoder } from '../../../agent/batch/encoder.ts';
import { sharedBuffers } from '../../../shared/shared-buffers.ts';
import type { FsyncPolicy } from '../../../agent/checkpoint/journal.ts';
import { memoryBudget } from '../../../agent/memory-budget.ts';
import { type RunningPipeline, startPipeline } from '../../../agent/pipeline.ts';
import type { Clock, Random } from '../../../shared/clock.ts';
import type { PipelineConfig } from '../../../shared/config/pipeline-config.ts';
import { LINES } from '../../../shared/framing/framing.ts';
import { createAgentMetrics } from '../../../shared/telemetry/agent-metrics.ts';
import type { Logger } from '../../../shared/telemetry/logger.ts';
import { decompressRecords } from '../../../shared/wire/decode-records.ts';
import { createRegistry } from '../../../shared/telemetry/metrics.ts';
import { type ProcessLife, processLife } from '../support/process-life.ts';
import { sharedFiles } from '../support/shared-files.ts';
import { simBroker } from '../support/sim-broker.ts';
import { type SimClock, simClock } from '../support/sim-clock.ts';
import { simDisk } from '../support/sim-disk.ts';
import type { FileCall, ReadFaults } from '../support/sim-file-system.ts';
import { simJournal } from '../support/sim-journal.ts';
import { groundTruth } from './ground-truth.ts';
import { type History, logInto } from './history.ts';

export const TOPIC = 'logs';
export const INCLUDE = ['/logs/**/*.log*'];
export const EXCLUDE = ['/logs/**/*.gz', '/logs/**/*.bak'];
/** Less than any machine takes to boot, and more than a packet of before is on its way. */
export const BOOT_MS = 1_000;
const START_MS = Date.UTC(2026, 0, 1);

export function pipelineConfig(): PipelineConfig {
  return {
    name: 'sim',
    file: 'sim.yaml',
    files: { include: ['/logs/*'], exclude: [] },
    startAt: 'beginning',
    framing: { format: LINES, maxRecordBytes: 600, oversize: 'split', recordTimeoutMs: undefined },
    discovery: {
      watch: 'auto',
      scanIntervalMs: 200,
      pollIntervalMs: 50,
      closeIdleAfterMs: 2_000,
      closeRotatedAfterMs: 500,
      partialLineTimeoutMs: 500,
    },
    limits: {},
    kafka: {
      cluster: 'main',
      topic: TOPIC,
      codec: 'none',
      batchBytes: 1024,
      lingerMs: 20,
      maxInFlight: 5,
      requestTimeoutMs: 1000,
    },
    partitioner: { type: 'single-partition', rack: 'prefer', stickyMs: 300, stickyBytes: 8192 },
  };
}

/** The same with all of its times `pace` times as long. */
export function pacedConfig(pace: number): PipelineConfig {
  const config = pipelineConfig();
  const { scanIntervalMs, pollIntervalMs, closeIdleAfterMs, closeRotatedAfterMs, partialLineTimeoutMs } =
    config.discovery;
  return {
    ...config,
    files: { include: INCLUDE, exclude: EXCLUDE },
    discovery: {
      ...config.discovery,
      scanIntervalMs: scanIntervalMs * pace,
      pollIntervalMs: pollIntervalMs * pace,
      closeIdleAfterMs: closeIdleAfterMs * pace,
      closeRotatedAfterMs: closeRotatedAfterMs * pace,
      partialLineTimeoutMs: partialLineTimeoutMs * pace,
    },
  };
}

export interface WorldOptions {
  random: Random;
  history: History;
  fsync?: FsyncPolicy['fsync'];
  /** The machine can tell one boot from another; true unless said otherwise. */
  hasBootId?: boolean;
  pace?: number;
  /** Built when the world stands, because faults take its time. */
  faults?: (clock: SimClock) => Pick<ReadFaults, 'delayMs' | 'wait' | 'shortened'>;
}

/** Calls of the file system that a share of the time fail. */
export interface FailingFiles {
  share: number;
  calls: readonly FileCall[];
  code: string;
}

export function createWorld(options: WorldOptions) {
  const { random, history, fsync = 'interval', hasBootId = true, pace = 1 } = options;
  const clock = simClock(START_MS);
  const truth = groundTruth({
    nowMs: () => clock.monotonicMs(),
    include: INCLUDE,
    exclude: EXCLUDE,
    noticeMs: 2_000 * pace,
    settledMs: 600 * pace,
  });
  const disk = simDisk(
    () => clock.nowMs(),
    truth.watch,
    () => clock.monotonicMs(),
  );
  truth.of(disk);
  const journal = simJournal((ms) => clock.after(ms));
  const broker = simBroker({ topic: TOPIC, partitions: 4, clock, random });
  const registry = createRegistry();
  const metrics = createAgentMetrics(registry);
  const failingFiles: FailingFiles = { share: 0, calls: [], code: 'EIO' };
  const fails = (call: FileCall): string | undefined => {
    const { share, calls, code } = failingFiles;
    if (!calls.includes(call) || random() >= share) return undefined;
    truth.disturbed();
    return code;
  };
  const slow = options.faults?.(clock);
  const faults: ReadFaults | undefined = slow && { ...slow, fails };
  const buffers = sharedBuffers(1 << 14, 1 << 12);
  const encoder = inlineEncoder();
  let life: ProcessLife = processLife();
  let pipeline: RunningPipeline | undefined;
  let boots = 1;
  let upAtMs = 0;
  const failures: unknown[] = [];
  const world = {
    random,
    clock,
    disk,
    journal,
    broker,
    failures,
    failingFiles,
    truth,
    pace,
    fsync,
    config: pacedConfig(pace),
    note: (what: string): void => history.note(clock.monotonicMs() - START_MS, what),
    get life() {
      return life;
    },
    get pipeline() {
      return pipeline;
    },
    start: (): ProcessLife => {
      life = processLife();
      pipeline = undefined;
      const mine = life;
      truth.began(mine);
      world.note('start');
      const logger: Logger = logInto(world.note);
      const mineClock: Clock = { ...clock, sleep: (ms, signal) => mine.through(clock.sleep(ms, signal)) };
      startPipeline({
        config: world.config,
        host: 'sim-host',
        rack: 'rack-a',
        cluster: broker.client(mine),
        metadataMaxAgeMs: 5_000 * pace,
        journalFile: journal.file(mine, random),
        bootId: hasBootId ? `boot ${boots}` : undefined,
        fsyncPolicy: { fsync, fsyncIntervalMs: 1000 },
        encoder: {
          ...encoder,
          encode: (job) => mine.through(clock.hold(encoder.encode(job))),
        },
        decompress: (...batch) => mine.through(clock.hold(decompressRecords(...batch))),
        encodeAhead: 2,
        buffers,
        budget: memoryBudget(1 << 16).share('sim'),
        ...sharedFiles(disk.fileSystem(mine, faults), mineClock, { maxOpenFiles: 200 }),
        clock: mineClock,
        random,
        metrics,
        logger,
      }).then(
        (running) => {
          if (!mine.alive) return;
          pipeline = running;
          running.done.catch((error: unknown) => failures.push(error));
        },
        (error: unknown) => failures.push(error),
      );
      return mine;
    },
    kill: (): void => life.kill(),
    /** The machine goes down under a dead process, with what was not synced. */
    cutPower: (tear?: Random): void => {
      journal.cutPower(tear);
      boots += 1;
      upAtMs = clock.monotonicMs() + BOOT_MS;
      world.note('the power is cut');
    },
    /** Every line in the topic, by partition, in the order of its offsets. */
    lines: (): string[][] => broker.partitions.map((partition) => partition.lines),
    /** When the machine has booted after a power cut. */
    get upAtMs() {
      return upAtMs;
    },
    /** SIGTERM: resolves when the process has ended, or when it died otherwise. */
    stop: async (patienceMs: number): Promise<void> => {
      const mine = life;
      const running = pipeline;
      const patience = new AbortController();
      truth.stopping();
      void clock.after(patienceMs).then(() => patience.abort());
      if (running !== undefined) await Promise.race([running.close(patience.signal), died(mine)]);
      mine.kill();
    },
    /** Sum of a counter of the agent over all its labels. */
    count: async (name: string, labels: Record<string, string> = {}): Promise<number> => {
      const { values } = await registry.getSingleMetric(name)!.get();
      return values
        .filter((value) => Object.entries(labels).every(([key, label]) => value.labels[key] === label))
        .reduce((sum, { value }) => sum + value, 0);
    },
  };
  return world;
}

function died(life: ProcessLife): Promise<void> {
  return new Promise((resolve) => life.onDeath(resolve));
}

export type World = ReturnType<typeof createWorld>;
