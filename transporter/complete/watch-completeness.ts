import type { Clock, Random } from '../../shared/clock.ts';
import type { TopicConfig } from '../../shared/config/topic-config.ts';
import { isSkaldError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { TransporterMetrics } from '../../shared/telemetry/transporter-metrics.ts';
import type { Topology } from '../fetch/topology.ts';
import type { KafkaPort } from '../kafka-port.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { PartitionFlow } from '../partition-flow.ts';
import { partitionKey } from '../topic-partition.ts';
import { finishBuckets, isBucketOver, lastEndMs } from './finish-buckets.ts';
import { decodeProgress } from './progress.ts';
import { writeSuccess } from './success-object.ts';
import { completeThrough } from './topic-progress.ts';

export interface CompletenessOptions {
  topics: readonly TopicConfig[];
  /** By partitionKey: those of this worker. */
  flows: ReadonlyMap<string, Pick<PartitionFlow, 'mark' | 'close'>>;
  kafka: Pick<KafkaPort, 'metadata' | 'fetchOffsets'>;
  topology: Pick<Topology, 'view' | 'refresh'>;
  store: ObjectStore;
  clock: Clock;
  random: Random;
  metrics: Pick<TransporterMetrics, 'completeThroughSeconds' | 'finishedBuckets'>;
  problems: RepeatedLog;
  logger: Logger;
  signal: AbortSignal;
}

/** A bucket that is complete gets its `_SUCCESS` within about so long. */
const CHECK_MS = 5_000;

/**
 * Finishes the buckets of the topics whose partition 0 is this worker's. Nothing depends on that being so: what
 * it goes by is committed, and a second `_SUCCESS` is never written over the first. Ends with the signal.
 */
export async function watchCompleteness(options: CompletenessOptions): Promise<void> {
  const { topics, flows, clock, random, metrics, problems, signal } = options;
  /** What this worker has finished, which the committed offset says a moment later. */
  const finished = new Map<string, number>();

  while (!signal.aborted) {
    await clock.sleep(CHECK_MS * (0.75 + 0.5 * random()), signal);
    for (const config of topics) {
      const { topic } = config;
      if (signal.aborted) return;
      if (!flows.has(partitionKey({ topic, partition: 0 }))) {
        metrics.completeThroughSeconds.remove({ topic });
        finished.delete(topic);
        continue;
      }
      try {
        await checkTopic(config, finished, options);
      } catch (error) {
        if (signal.aborted) return;
        if (!isSkaldError(error)) throw error;
        problems.warn(
          `complete/${topic}/${error.code}`,
          { topic, err: error },
          'a time bucket cannot be finished yet',
        );
      }
    }
  }
}

async function checkTopic(
  config: TopicConfig,
  finished: Map<string, number>,
  { flows, kafka, topology, store, metrics, logger, signal }: CompletenessOptions,
): Promise<void> {
  const { topic } = config;
  const partitions = topology.view?.topics.get(topic)?.partitions ?? [];
  if (partitions.length === 0) return;
  const offsets = await kafka.fetchOffsets(partitions.map(({ partition }) => ({ topic, partition })));
  const through = completeThrough(offsets);
  if (through === undefined) return;
  metrics.completeThroughSeconds.set({ topic }, through / 1000);

  const [first] = offsets.filter(({ partition }) => partition === 0);
  const progress = decodeProgress(first?.metadata ?? '');
  const marked = later(progress.marked, finished.get(topic));
  if (!isBucketOver(config, marked, through)) return;
  // One that was added since the last look at the metadata is not among those that were asked about.
  const now = (await kafka.metadata([topic])).topics.get(topic)?.partitions.length;
  if (now !== partitions.length) {
    topology.refresh();
    return;
  }
  // One that is added after this look begins when that is committed, and is late; so the next look is the last word.
  const over = lastEndMs(config, through);
  const closed = later(progress.marked, progress.closed) ?? 0;
  if (config.success && closed < over) flows.get(partitionKey({ topic, partition: 0 }))?.close(over);
  if (config.success && closed <= (marked ?? 0)) return;
  await finishBuckets({
    config,
    marked,
    through: config.success ? closed : through,
    finish: async (bucket) => {
      const isNew = await writeSuccess({ config, bucket, partitions: partitions.length }, store, signal);
      if (!isNew) return;
      metrics.finishedBuckets.inc({ topic });
      logger.info({ topic, bucket: bucket.label }, 'a time bucket is finished');
    },
    onMarked: (markedMs) => {
      finished.set(topic, markedMs);
      flows.get(partitionKey({ topic, partition: 0 }))?.mark(markedMs);
    },
    list: (folder) => store.list(folder, signal),
    signal,
  });
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
