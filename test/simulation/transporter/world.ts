/**
 * A fleet of workers in a world of its own: brokers, group, store, time and chance all come from one seed.
 */
import type { Random } from '../../../shared/clock.ts';
import type { TopicConfig } from '../../../shared/config/topic-config.ts';
import type { TransporterConfig } from '../../../shared/config/transporter-config.ts';
import { type Logger, silentLogger } from '../../../shared/telemetry/logger.ts';
import { createRegistry } from '../../../shared/telemetry/metrics.ts';
import { createTransporterMetrics } from '../../../shared/telemetry/transporter-metrics.ts';
import { inlineDecoder } from '../../../transporter/decode/decoder.ts';
import { startWorker, type Worker } from '../../../transporter/worker.ts';
import { between, seededRandom } from '../support/random.ts';
import { simClock } from '../support/sim-clock.ts';
import { simGroup } from './sim-group.ts';
import { BROKERS, simKafka } from './sim-kafka.ts';
import { completenessProblems, GRACE_MS } from './judge-completeness.ts';
import {
  append,
  compact,
  cutOff,
  deleteBefore,
  elect,
  type ProducedRecord,
  simPartition,
} from './sim-log.ts';
import { simNetwork } from './sim-network.ts';
import { simStore } from './sim-store.ts';
import { type WorkerLife, workerLife } from './worker-life.ts';

export const TOPIC = 'logs';
/** Half a storm before an hour ends, so that it crosses the end of a bucket in its middle. */
export const START_MS = Date.parse('2026-01-01T11:57:30Z');

export interface RunningWorker {
  /** Its name in the group. */
  member: string;
  life: WorkerLife;
  worker: Worker;
}

export function createWorld(seed: number, size: { partitions: number }, logger: Logger = silentLogger) {
  const random = seededRandom(seed);
  const clock = simClock(START_MS);
  const network = simNetwork({ clock, random });
  const group = simGroup({ clock, random });
  const store = simStore({ network, random, clock });
  const partitions = Array.from({ length: size.partitions }, (_, p) => simPartition((p % 3) + 1));
  const produced: ProducedRecord[] = [];
  /** Texts of records that Kafka has deleted; they may be stored, or not. */
  const deleted = new Set<string>();
  const workers: RunningWorker[] = [];
  const failures: unknown[] = [];
  const registry = createRegistry();
  const metrics = createTransporterMetrics(registry);
  let refusals = 0;
  let tellsEpochs = true;
  let topicId = 'topic-1';

  const start = (config: TransporterConfig): RunningWorker => {
    const life = workerLife();
    const worker = startWorker({
      config,
      kafka: simKafka(life, {
        topic: TOPIC,
        topicId: () => topicId,
        partitions,
        group,
        network,
        clock,
        random,
        tellsEpochs: () => tellsEpochs,
        refusals: () => refusals,
      }),
      store: store.client(life),
      decoder: inlineDecoder(),
      clock: { ...clock, sleep: (ms, signal) => life.through(clock.sleep(ms, signal)) },
      random,
      metrics,
      logger: logger.child({ worker: workers.length + 1 }),
    });
    worker.done.catch((error: unknown) => failures.push(error));
    const running = { member: config.member, life, worker };
    workers.push(running);
    return running;
  };

  const produce = async (
    partition: number,
    { poisonShare = 0.05, ageMs = 0 }: { poisonShare?: number; ageMs?: number } = {},
  ): Promise<void> => {
    const records = Array.from({ length: between(random, 1, 6) }, (): ProducedRecord => {
      const lateMs = random() < 0.05 ? between(random, 0, 3) * 3_600_000 : 0;
      const id = `${partition}/${produced.length}/${'x'.repeat(between(random, 0, 60))}`;
      const timestampMs = clock.nowMs() - lateMs - ageMs;
      const isPoison = random() < poisonShare;
      const text = isPoison ? id : JSON.stringify({ id, at: timestampMs });
      const record = { text, timestampMs, isPoison, appendedAtMs: clock.nowMs() };
      produced.push(record);
      return record;
    });
    await append(partitions[partition]!, records, random);
  };

  const isCommitted = (): boolean => {
    const asked = partitions.map((_, partition) => ({ topic: TOPIC, partition }));
    return group
      .fetch(asked)
      .every(
        ({ partition, offset, metadata }) =>
          offset === partitions[partition]!.end &&
          metadata.includes(`"${topicId}`) &&
          !metadata.includes('"skald"'),
      );
  };

  return {
    random,
    clock,
    network,
    group,
    store,
    partitions,
    produced,
    workers,
    failures,
    /** Of all workers together. */
    counterOf: async (name: string): Promise<number> => {
      const { values } = await registry.getSingleMetric(name)!.get();
      return values.reduce((sum, { value }) => sum + value, 0);
    },
    countsBy: async (name: string, label: string): Promise<Record<string, number>> => {
      const { values } = await registry.getSingleMetric(name)!.get();
      return Object.fromEntries(values.map(({ labels, value }) => [String(labels[label]), value]));
    },
    committedOffset: (partition: number): number => group.fetch([{ topic: TOPIC, partition }])[0]!.offset,
    start,
    produce,
    isCommitted,
    setRefusals: (share: number) => {
      refusals = share;
    },
    /** As brokers before 3.1. */
    forgetEpochs: () => {
      tellsEpochs = false;
    },
    compact: (partition: number, share: number) => {
      for (const text of compact(partitions[partition]!, share, random)) deleted.add(text);
    },
    deleteBefore: (partition: number, offset: number) => {
      for (const text of deleteBefore(partitions[partition]!, offset)) deleted.add(text);
    },
    /** Returns its number. */
    addPartition: (): number => partitions.push(simPartition((partitions.length % 3) + 1)) - 1,
    /** The topic is deleted and made anew, with other records at the same offsets. */
    remakeTopic: (options: { forgetOffsets: boolean }) => {
      for (const { batches } of partitions) {
        for (const { texts } of batches) for (const text of texts) deleted.add(text);
      }
      partitions.splice(0, partitions.length, ...partitions.map((_, p) => simPartition((p % 3) + 1)));
      topicId = `topic-${Number(topicId.slice('topic-'.length)) + 1}`;
      if (options.forgetOffsets) group.forgetOffsets();
    },
    /** A replica without what is from `offset` on becomes leader. */
    cutOff: (partition: number, offset: number) => {
      for (const text of cutOff(partitions[partition]!, offset)) deleted.add(text);
    },
    moveLeader: (partition: number) => {
      elect(partitions[partition]!, BROKERS[between(random, 0, 2)]!.nodeId);
    },
    /**
     * What is wrong with what was stored, in words; empty when every record is there exactly once, in its
     * hour and in order. One that Kafka has deleted may be missing.
     */
    problems: (): string[] => [
      ...failures.map((error) => `a worker failed: ${error instanceof Error ? error.stack : String(error)}`),
      ...group.violations,
      ...store.violations,
      ...contentProblems(produced, store.objects, deleted),
      ...completenessProblems(produced, store, deleted),
    ],
  };
}

export type World = ReturnType<typeof createWorld>;

export function workerConfig(
  random: Random,
  overrides: Partial<Pick<TopicConfig, 'prefix' | 'codec' | 'format' | 'time'>> = {},
): TransporterConfig {
  const topic = {
    topic: TOPIC,
    prefix: overrides.prefix ?? 'logs',
    template: '{prefix}/{topic}/dt={yyyy}-{mm}-{dd}/hr={hh}/{partition}-{firstOffset}.{ext}',
    bucket: 'hour' as const,
    timeZone: 'UTC',
    time: overrides.time ?? { type: 'timestamp' as const },
    format: overrides.format ?? ('lines' as const),
    columns: [],
    codec: overrides.codec ?? 'none',
    chunk: {
      maxBytes: between(random, 200, 4000),
      maxAgeMs: between(random, 2000, 30_000),
      bucketGraceMs: GRACE_MS,
    },
    success: true,
  };
  return {
    cluster: {
      brokers: ['broker-1:9092'],
      clientId: 'sim',
      connectTimeoutMs: 1000,
      requestTimeoutMs: 2000,
      metadataMaxAgeMs: 20_000,
    },
    group: 'sim',
    member: 'sim',
    rack: BROKERS[between(random, 0, 2)]!.rack,
    topics: [topic],
    store: { type: 'local', directory: '/nowhere' },
    objects: topic,
    chunk: topic.chunk,
    fetch: {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 4096,
      maxPartitionBytes: 1024,
      isolation: 'read_committed',
    },
    startFrom: 'earliest',
    sessionTimeoutMs: 10_000,
    heartbeatIntervalMs: 1000,
    rebalanceTimeoutMs: 20_000,
    leaveOnStop: false,
    limits: { memoryBytes: 32 * 1024 * 1024, decodeThreads: 1 },
    status: false,
    shutdownTimeoutMs: 10_000,
    log: { level: 'info' },
  };
}

/** Times that are inside of the records, which some of them do not have. */
export const TIME_INSIDE = {
  type: 'json',
  field: 'at',
  format: 'unix-ms',
  timeZone: 'UTC',
  otherwise: 'quarantine',
} as const;

/** Any layout, as a change of the configuration brings it. */
export function anyLayout(random: Random): Parameters<typeof workerConfig>[1] & {} {
  return {
    prefix: random() < 0.3 ? `logs-${between(random, 1, 3)}` : 'logs',
    codec: random() < 0.3 ? 'gzip' : 'none',
    format: random() < 0.5 ? 'jsonl' : 'lines',
    ...(random() < 0.5 && { time: TIME_INSIDE }),
  };
}

/** Compares values with what was produced. Order and hour are part of what an object promises. */
function contentProblems(
  produced: readonly ProducedRecord[],
  objects: ReadonlyMap<string, string[]>,
  deleted: ReadonlySet<string>,
): string[] {
  const problems: string[] = [];
  const hourOf = new Map(
    produced.map(({ text, timestampMs }) => {
      const iso = new Date(timestampMs).toISOString();
      return [text, `dt=${iso.slice(0, 10)}/hr=${iso.slice(11, 13)}`];
    }),
  );
  const poison = new Set(produced.filter(({ isPoison }) => isPoison).map(({ text }) => text));
  const seen = new Map<string, string>();
  for (const [name, lines] of objects) {
    let previous = -1;
    for (const line of lines) {
      const [partition, sequence] = line.replace('{"id":"', '').split('/');
      const hour = hourOf.get(line);
      if (hour === undefined) problems.push(`${name} holds a record that nobody produced: ${line}`);
      else if (name.includes(`/quarantine/${TOPIC}/${partition}-`)) {
        if (!poison.has(line)) problems.push(`${name} holds ${line}, which has nothing wrong`);
      } else if (!name.includes(`/${hour}/${partition}-`))
        problems.push(`${name} holds ${line}, which is of ${hour}`);
      if (seen.has(line)) problems.push(`${line} is in ${seen.get(line)} and in ${name}`);
      if (Number(sequence) <= previous) problems.push(`${name} is not in order at ${line}`);
      previous = Number(sequence);
      seen.set(line, name);
    }
  }
  const missing = produced.filter(({ text }) => !seen.has(text) && !deleted.has(text));
  if (missing.length > 0)
    problems.push(`${missing.length} records are in no object, first ${missing[0]!.text}`);
  return problems;
}
