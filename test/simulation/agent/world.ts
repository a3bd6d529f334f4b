/** One pipeline of the agent in a world of its own: disk, brokers, time and chance all come from one seed. */
import { inlineEncoder } from '../../../agent/batch/encoder.ts';
import type { FsyncPolicy } from '../../../agent/checkpoint/journal.ts';
import { memoryBudget } from '../../../agent/memory-budget.ts';
import { type RunningPipeline, startPipeline } from '../../../agent/pipeline.ts';
import type { Clock } from '../../../shared/clock.ts';
import type { PipelineConfig } from '../../../shared/config/pipeline-config.ts';
import { LINES } from '../../../shared/framing/framing.ts';
import { createAgentMetrics } from '../../../shared/telemetry/agent-metrics.ts';
import { type Logger, silentLogger } from '../../../shared/telemetry/logger.ts';
import { createRegistry } from '../../../shared/telemetry/metrics.ts';
import { processLife } from '../support/process-life.ts';
import { seededRandom } from '../support/random.ts';
import { sharedFiles } from '../support/shared-files.ts';
import { simBroker } from '../support/sim-broker.ts';
import { simClock } from '../support/sim-clock.ts';
import { simDisk } from '../support/sim-disk.ts';
import { simJournal } from '../support/sim-journal.ts';

export const TOPIC = 'logs';
/** Less than any machine takes to boot, and more than a packet of before is on its way. */
const BOOT_MS = 1_000;
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

export function createWorld(
  seed: number,
  options: { fsync?: FsyncPolicy['fsync']; hasBootId?: boolean; logger?: Logger } = {},
) {
  const { fsync = 'interval', hasBootId = true, logger = silentLogger } = options;
  const random = seededRandom(seed);
  const clock = simClock(START_MS);
  const disk = simDisk(() => clock.nowMs());
  const journal = simJournal((ms) => clock.after(ms));
  const broker = simBroker({ topic: TOPIC, partitions: 4, clock, random });
  const metrics = createAgentMetrics(createRegistry());
  let life = processLife();
  let boots = 1;
  let pipeline: RunningPipeline | undefined;
  const failures: unknown[] = [];

  const start = (): void => {
    life = processLife();
    pipeline = undefined;
    const mine = life;
    const mineClock: Clock = {
      ...clock,
      sleep: (ms, signal) => mine.through(clock.sleep(ms, signal)),
    };
    const log = logger.child({ atMs: () => clock.nowMs() });
    startPipeline({
      config: pipelineConfig(),
      host: 'sim-host',
      rack: 'rack-a',
      cluster: broker.client(mine),
      metadataMaxAgeMs: 5_000,
      journalFile: journal.file(mine, random),
      fsyncPolicy: { fsync, fsyncIntervalMs: 1000 },
      bootId: hasBootId ? `boot ${boots}` : undefined,
      encoder: inlineEncoder(),
      encodeAhead: 2,
      budget: memoryBudget(1 << 20).share('main'),
      ...sharedFiles(disk.fileSystem(mine), mineClock),
      clock: mineClock,
      random,
      metrics,
      logger: log,
    }).then(
      (running) => {
        if (!mine.alive) return;
        pipeline = running;
        running.done.catch((error: unknown) => failures.push(error));
      },
      (error: unknown) => failures.push(error),
    );
  };

  return {
    random,
    clock,
    disk,
    journal,
    broker,
    metrics,
    failures,
    start,
    kill: () => life.kill(),
    /** The machine goes down under a dead process, with what was not synced, and comes up again. */
    cutPower: async () => {
      await clock.advance(5); // writes that were under way have ended, one way or the other
      journal.cutPower();
      boots += 1;
      await clock.advance(BOOT_MS);
    },
    get pipeline() {
      return pipeline;
    },
    /** Every line in the topic, by partition, in the order of its offsets. */
    lines: (): string[][] => broker.partitions.map((partition) => partition.lines),
  };
}

export type World = ReturnType<typeof createWorld>;
