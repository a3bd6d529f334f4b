/** One pipeline on a simulated disk, network and clock, for situations that a test sets up step by step. */
import { onTestFinished } from 'vitest';
import { inlineEncoder } from '../../../agent/batch/encoder.ts';
import { sharedBuffers } from '../../../shared/shared-buffers.ts';
import type { FileSystem } from '../../../agent/discover/file-system.ts';
import { memoryBudget } from '../../../agent/memory-budget.ts';
import { type RunningPipeline, startPipeline } from '../../../agent/pipeline.ts';
import type { KafkaCluster } from '../../../shared/kafka/cluster.ts';
import { type KafkaRequest, ProtocolReader, ProtocolWriter } from '../../../shared/kafka/protocol.ts';
import type { PipelineConfig } from '../../../shared/config/pipeline-config.ts';
import { createAgentMetrics } from '../../../shared/telemetry/agent-metrics.ts';
import { createRegistry } from '../../../shared/telemetry/metrics.ts';
import { pipelineConfig, TOPIC } from '../../simulation/agent/world.ts';
import { processLife } from '../../simulation/support/process-life.ts';
import { seededRandom } from '../../simulation/support/random.ts';
import { sharedFiles } from '../../simulation/support/shared-files.ts';
import { simBroker } from '../../simulation/support/sim-broker.ts';
import { simClock } from '../../simulation/support/sim-clock.ts';
import { simDisk } from '../../simulation/support/sim-disk.ts';
import { batchLimitAnswer } from './batch-limit-answer.ts';
import { type MemoryJournal, memoryJournal } from './memory-journal.ts';
import { recordedLog } from './recorded-log.ts';

const MESSAGE_TOO_LARGE = 10;

const WORKING = { lostRequests: 0, lostAnswers: 0, refusals: 0 };
/** Every request and every answer is lost: what an unplugged network looks like. */
const UNREACHABLE = { lostRequests: 1, lostAnswers: 1, refusals: 0 };

export interface SmallWorldOptions {
  include?: string;
  framing?: Partial<PipelineConfig['framing']>;
  kafka?: Partial<PipelineConfig['kafka']>;
  limits?: PipelineConfig['limits'];
  budgetBytes?: number;
}

export function smallWorld(options: SmallWorldOptions = {}) {
  const clock = simClock(Date.UTC(2026, 0, 1));
  const random = seededRandom(7);
  const disk = simDisk(() => clock.nowMs());
  const broker = simBroker({ topic: TOPIC, partitions: 3, clock, random });
  const registry = createRegistry();
  const metrics = createAgentMetrics(registry);
  const { logger, lines: logged } = recordedLog();
  const budget = memoryBudget(options.budgetBytes ?? 1 << 20);
  const config = pipelineConfig();

  let hangs = false;
  let maxBatchBytes = Infinity;
  /** What a broker answers to a batch above max.message.bytes; it does not look into it. */
  const refuseLarge = <T>(request: KafkaRequest<T>): T | undefined => {
    if (request.apiName !== 'Produce') return undefined;
    const written = new ProtocolWriter();
    request.encode(written);
    const reader = new ProtocolReader(written.finish());
    reader.nullableString();
    reader.int16();
    reader.int32();
    const [batch] = reader.array(() => {
      const topic = reader.string();
      return reader.array(() => ({ topic, partition: reader.int32(), sizeBytes: reader.bytes().length }))[0]!;
    });
    if (batch!.sizeBytes <= maxBatchBytes) return undefined;
    const answer = new ProtocolWriter().array([0], () => {}).string(batch!.topic);
    answer
      .array([0], () => {})
      .int32(batch!.partition)
      .int16(MESSAGE_TOO_LARGE);
    return request.decode(new ProtocolReader(answer.int64(-1).int64(-1).int64(0).int32(0).finish()));
  };
  /** Brokers that were stopped by SIGSTOP: connections stay, and nothing ever answers. */
  const hangable = (cluster: KafkaCluster): KafkaCluster => {
    const orNever = <T>(send: () => Promise<T>): Promise<T> => (hangs ? new Promise(() => {}) : send());
    return {
      metadata: (topics) => orNever(() => cluster.metadata(topics)),
      send: async (nodeId, lane, request) =>
        refuseLarge(request) ?? (await orNever(() => cluster.send(nodeId, lane, request))),
      sendToAny: (request) =>
        request.apiName === 'DescribeConfigs'
          ? Promise.resolve(batchLimitAnswer(request, TOPIC, Math.min(maxBatchBytes, 1_048_588)))
          : orNever(() => cluster.sendToAny(request)),
      close: () => cluster.close(),
    };
  };

  const start = async (journal: MemoryJournal, fs?: FileSystem): Promise<RunningPipeline> => {
    const life = processLife();
    const buffers = sharedBuffers(1 << 14, 1 << 12);
    const starting = startPipeline({
      config: {
        ...config,
        files: { include: [options.include ?? '/logs/*'], exclude: [] },
        framing: { ...config.framing, ...options.framing },
        kafka: { ...config.kafka, ...options.kafka },
        limits: options.limits ?? {},
      },
      host: 'h',
      rack: 'rack-a',
      cluster: hangable(broker.client(life)),
      metadataMaxAgeMs: 5_000,
      journalFile: journal,
      fsyncPolicy: { fsync: 'interval', fsyncIntervalMs: 1_000 },
      encoder: inlineEncoder(),
      encodeAhead: 2,
      buffers,
      budget: budget.share('main'),
      ...sharedFiles(fs ?? disk.fileSystem(life), clock),
      clock,
      random,
      metrics,
      logger,
    });
    await clock.advance(1);
    const pipeline = await starting;
    onTestFinished(() => stop(pipeline, 0));
    return pipeline;
  };

  /** Closes within `patienceMs` of virtual time for what is on its way. */
  const stop = async (pipeline: RunningPipeline, patienceMs: number): Promise<void> => {
    const patience = new AbortController();
    let closed = false;
    const closing = pipeline.close(patience.signal).finally(() => {
      closed = true;
    });
    await clock.advance(patienceMs);
    patience.abort();
    for (let waited = 0; !closed && waited < 600; waited += 1) await clock.advance(100);
    if (!closed) throw new Error('the pipeline does not close');
    await closing;
  };

  return {
    clock,
    disk,
    broker,
    logged,
    budget,
    journal: memoryJournal(),
    start,
    stop,
    network: (works: boolean): void => {
      Object.assign(broker.faults, works ? WORKING : UNREACHABLE);
    },
    hang: (): void => {
      hangs = true;
    },
    /** Somebody has lowered max.message.bytes of the topic. */
    refuseAbove: (bytes: number): void => {
      maxBatchBytes = bytes;
    },
    /** Every line in the topic, sorted. */
    lines: (): string[] => broker.partitions.flatMap((partition) => partition.lines).toSorted(),
    /** Value of a counter of the pipeline, all labels together. */
    count: async (name: string, labels: Record<string, string> = {}): Promise<number> => {
      const { values } = await registry.getSingleMetric(name)!.get();
      return values
        .filter((value) => Object.entries(labels).every(([key, label]) => value.labels[key] === label))
        .reduce((sum, value) => sum + value.value, 0);
    },
  };
}
