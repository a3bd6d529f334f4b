/**
 * The transporter: assign -> fetch -> decode -> cut -> intent -> upload -> commit (worker.ts has that flow).
 * This file owns what it runs on: connections, the store, worker threads, the status server, and how it
 * stops.
 */
import { type Clock, type Random, systemClock } from '../shared/clock.ts';
import type { TransporterConfig } from '../shared/config/transporter-config.ts';
import { openCluster } from '../shared/kafka/cluster.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { createRegistry } from '../shared/telemetry/metrics.ts';
import { type StatusServer, startStatusServer } from '../shared/telemetry/status-server.ts';
import {
  createTransporterMetrics,
  type TransporterMetrics,
} from '../shared/telemetry/transporter-metrics.ts';
import { pooledDecoder } from './decode/decoder.ts';
import { answerMemory, kafkaPort } from './kafka-port.ts';
import { baseBytesOf, limitProcessMemory, type MemoryLimits, thisProcess } from './process-memory.ts';
import { openLocalStore } from './store/local-store.ts';
import type { ObjectStore } from './store/object-store.ts';
import { openS3Store } from './store/s3-store.ts';
import type { FlowStatus } from './partition-flow.ts';
import { startWorker, type Worker } from './worker.ts';

export interface TransporterOptions {
  config: TransporterConfig;
  logger: Logger;
  clock?: Clock;
  random?: Random;
}

export interface RunningTransporter {
  /** Port of the status server; undefined when it is off. */
  readonly statusPort: number | undefined;
  /**
   * Stops fetching, stores and commits what it has up to `shutdownTimeoutMs`, leaves the group if `leaveOnStop` says
   * so, and lets go of everything. Twice is fine.
   */
  close(): Promise<void>;
  /** Resolves after `close`; rejects when the transporter cannot go on. */
  readonly done: Promise<void>;
}

/**
 * @throws SkaldError STORE_BUCKET_MISSING, STORE_DENIED, STORE_UNREACHABLE, STORE_FAILED,
 * STATUS_LISTEN_FAILED
 */
export async function startTransporter(options: TransporterOptions): Promise<RunningTransporter> {
  const { config, logger } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const registry = createRegistry();
  const metrics = createTransporterMetrics(registry);
  const store = openStore(config, metrics, logger);
  await store.check();

  const answers = answerMemory(config.fetch.maxBytes);
  const cluster = openCluster(config.cluster, { logger, random, answers });
  const decoder = pooledDecoder(config.limits.decodeThreads);
  const kafka = kafkaPort(cluster, config.group, answers);
  const worker = startWorker({ config, kafka, store, decoder, clock, random, metrics, logger });
  const stopLooking = new AbortController();
  void limitProcessMemory(worker.budget, memoryLimits(config), {
    memory: thisProcess(),
    clock,
    signal: stopLooking.signal,
  });
  const topics = config.topics.map(({ topic }) => topic);
  logger.info(
    { group: config.group, topics, rack: config.rack, store: store.location },
    'the transporter runs',
  );

  let failure: string | undefined;
  worker.done.catch((error: unknown) => {
    failure = String(error);
  });

  const release = async (): Promise<void> => {
    stopLooking.abort();
    await worker.close();
    await cluster.close();
    await decoder.close();
    await store.close();
  };

  let statusServer: StatusServer | undefined;
  if (config.status !== false) {
    statusServer = await startStatusServer({
      ...config.status,
      registry,
      refresh: () => refreshMetrics(metrics, worker, clock),
      health: () => ({ ok: failure === undefined, reasons: failure === undefined ? [] : [failure] }),
      readiness: () => ({ ok: worker.problems().length === 0, reasons: worker.problems() }),
      status: () => ({
        group: config.group,
        rack: config.rack,
        generation: worker.generation,
        partitions: worker.flows(),
      }),
      logger,
    }).catch(async (error: unknown) => {
      await release();
      throw error;
    });
  }

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      const patience = new AbortController();
      const timer = setTimeout(() => patience.abort(), config.shutdownTimeoutMs);
      await worker.drain(patience.signal).catch(() => {}); // what went wrong is in `done`
      clearTimeout(timer);
      if (patience.signal.aborted) {
        logger.warn(
          { shutdownTimeoutMs: config.shutdownTimeoutMs },
          'not everything was committed in time; the next owner carries it',
        );
      }
      await release();
      await statusServer?.close();
      logger.info('the transporter has stopped');
    })());

  const done = worker.done.then(() => closing);
  done.catch(() => {}); // whoever wants it has it
  return { statusPort: statusServer?.port, close, done };
}

function openStore({ store }: TransporterConfig, metrics: TransporterMetrics, logger: Logger): ObjectStore {
  if (store.type === 'local') return openLocalStore(store);
  return openS3Store(store, {
    requestEnded: (seconds) => metrics.uploadSeconds.observe(seconds),
    attemptFailed: (code) => metrics.uploadErrors.inc({ code }),
    slotsAllowed: (count) => metrics.uploadSlots.set(count),
    conditionsUnknown: () =>
      logger.warn(
        { bucket: store.bucket },
        'the store does not know If-None-Match (501): each object is looked for before it is stored',
      ),
  });
}

function memoryLimits({ limits }: TransporterConfig): MemoryLimits {
  const { memoryBytes, decodeThreads } = limits;
  return { memoryBytes, baseBytes: baseBytesOf(decodeThreads) };
}

/** Gauges are looked at when someone asks. */
function refreshMetrics(metrics: TransporterMetrics, worker: Worker, clock: Clock): void {
  const all = worker.flows();
  metrics.memoryBytes.set(worker.budget.usedBytes);
  metrics.memoryLimitBytes.set(worker.budget.limitBytes);
  metrics.waitingObjects.set(worker.waitingObjects.count);
  metrics.waitingSeconds.set(worker.waitingObjects.longestMs / 1000);
  metrics.openChunks.set(all.filter(({ oldestMs }) => oldestMs !== undefined).length);
  metrics.lagRecords.reset();
  metrics.assignedPartitions.reset();
  metrics.oldestUncommittedSeconds.reset();
  metrics.openTransactionSeconds.reset();
  for (const [topic, ms] of longestOpenTransactions(all))
    metrics.openTransactionSeconds.set({ topic }, ms / 1000);
  for (const { topic, partition, highWatermark, committedOffset, oldestMs } of all) {
    metrics.assignedPartitions.inc({ topic });
    const ageMs = oldestMs === undefined ? 0 : clock.monotonicMs() - oldestMs;
    metrics.oldestUncommittedSeconds.set({ topic, partition }, ageMs / 1000);
    if (highWatermark === undefined || committedOffset === undefined) continue;
    metrics.lagRecords.set({ topic, partition }, Math.max(0, highWatermark - committedOffset));
  }
}

/** By topic. */
function longestOpenTransactions(flows: readonly FlowStatus[]): Map<string, number> {
  const longest = new Map<string, number>();
  for (const { topic, openTransactionMs } of flows)
    longest.set(topic, Math.max(longest.get(topic) ?? 0, openTransactionMs));
  return longest;
}
