/** What the agent knows of its topic: leaders, racks and the size limit, asked for again by age and on trouble. */
import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { isSkaldError, SkaldError } from '../../shared/errors.ts';
import type { KafkaCluster } from '../../shared/kafka/cluster.ts';
import { KafkaCode, kafkaError } from '../../shared/kafka/error-codes.ts';
import { describeTopicConfigRequest } from '../../shared/kafka/requests/describe-config.ts';
import type { BrokerInfo, PartitionInfo } from '../../shared/kafka/requests/metadata.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';

export interface TopicView {
  topic: string;
  clusterId: string;
  partitions: PartitionInfo[];
  brokers: Map<number, BrokerInfo>;
}

export interface TopicWatch {
  readonly topic: string;
  /** The last good answer; undefined until the first one. */
  readonly view: TopicView | undefined;
  /** The topic's max.message.bytes, or Kafka's default where the agent may not ask. */
  readonly maxMessageBytes: number;
  /** Resolves with the first view, or with undefined when `signal` aborts first. */
  first(signal: AbortSignal): Promise<TopicView | undefined>;
  /** Asks soon (at most every 200 ms), because something looked stale. Resolves after the answer or the failure. */
  refresh(): Promise<void>;
  /** Makes the size limit smaller: the broker has refused a batch that fits by what was known. */
  refused(batchBytes: number): void;
  /** Asks no more. A question that a broker has not answered is nobody's business from here. */
  close(): void;
}

/** Kafka's default of max.message.bytes (1 MiB plus the log overhead). */
export const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;
/** Below this a batch has no room for a record beside its provenance. */
const MIN_BATCH_BYTES = 1024;
const MIN_REFRESH_MS = 200;
/** A limit that was lowered shows in a refusal; one that was raised is found by asking, and need not be found at once. */
const LIMIT_AGE_FACTOR = 5;
const BACKOFF = { baseMs: 200, maxMs: 10_000 };

export function watchTopic(
  cluster: KafkaCluster,
  topic: string,
  options: { metadataMaxAgeMs: number; clock: Clock; random: Random; logger: Logger; log: RepeatedLog },
): TopicWatch {
  const { clock, random, logger } = options;
  const stop = new AbortController();
  const limitMaxAgeMs = LIMIT_AGE_FACTOR * options.metadataMaxAgeMs;
  let view: TopicView | undefined;
  let topicLimit = DEFAULT_MAX_MESSAGE_BYTES;
  /** Set when a broker has refused what the topic should take by what was known. */
  let refused: { batchBytes: number; atMs: number } | undefined;
  let limitAskedMs = -Infinity;
  let limitRead = false;
  let asking: Promise<void> | undefined;
  let lastAskedMs = -Infinity;
  let failures = 0;
  const firstViews = new Set<() => void>();

  const askLimit = async (): Promise<void> => {
    const answer = await cluster.sendToAny(describeTopicConfigRequest(topic, ['max.message.bytes']));
    limitAskedMs = clock.monotonicMs();
    const value = Number(answer.values.get('max.message.bytes'));
    if (answer.errorCode !== 0 || !Number.isInteger(value) || value <= 0) {
      options.log.warn(
        'limit',
        { topic, kafkaCode: answer.errorCode },
        `cannot read max.message.bytes of topic ${topic} (${kafkaError(answer.errorCode).name}); taking Kafka's default. ` +
          'Grant DescribeConfigs on the topic if it is set lower',
      );
      return;
    }
    if (value !== topicLimit && limitRead) {
      logger.info({ topic, was: topicLimit, is: value }, 'max.message.bytes of the topic has changed');
    }
    topicLimit = value;
    limitRead = true;
    // The setting explains the refusal; or it does not, and after a while it is tried again.
    if (
      refused !== undefined &&
      (value < refused.batchBytes || limitAskedMs - refused.atMs > limitMaxAgeMs)
    ) {
      refused = undefined;
    }
  };

  const ask = async (): Promise<void> => {
    lastAskedMs = clock.monotonicMs();
    const answer = await cluster.metadata([topic]);
    const info = answer.topics.get(topic);
    const code = info?.errorCode ?? KafkaCode.UNKNOWN_TOPIC_OR_PARTITION;
    if (info === undefined || (code !== 0 && code !== KafkaCode.LEADER_NOT_AVAILABLE)) {
      const { name, message } = kafkaError(code);
      throw new SkaldError('KAFKA_TOPIC_MISSING', `Topic ${topic} cannot be used: ${name}, ${message}.`, {
        where: { topic },
      });
    }
    const { clusterId, brokers } = answer;
    view = { topic, clusterId, partitions: info.partitions, brokers };
    if (clock.monotonicMs() - limitAskedMs >= limitMaxAgeMs) await askLimit();
    for (const resolve of firstViews) resolve();
    firstViews.clear();
  };

  const askAndReport = async (): Promise<void> => {
    try {
      const wait = lastAskedMs + MIN_REFRESH_MS - clock.monotonicMs();
      if (wait > 0) await clock.sleep(wait, stop.signal);
      if (stop.signal.aborted) return;
      await ask();
      if (failures > 0) logger.info({ topic, failures }, 'the topic is reachable again');
      failures = 0;
    } catch (error) {
      if (stop.signal.aborted) return;
      if (!isSkaldError(error)) throw error; // a bug, not the weather
      failures += 1;
      options.log.warn(
        `metadata ${error.code}`,
        { err: error, topic },
        'cannot read the metadata of the topic; trying again, lines wait in their files',
      );
    } finally {
      asking = undefined;
    }
  };

  const refresh = (): Promise<void> => (asking ??= askAndReport());

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await refresh();
      const waitMs = failures > 0 ? backoffMs(failures - 1, BACKOFF, random) : options.metadataMaxAgeMs;
      await clock.sleep(waitMs, stop.signal);
    }
  };
  void run(); // rejects for a bug only

  return {
    topic,
    get view() {
      return view;
    },
    get maxMessageBytes() {
      if (refused === undefined) return topicLimit;
      return Math.min(topicLimit, Math.max(MIN_BATCH_BYTES, Math.floor(refused.batchBytes / 2)));
    },
    first: (signal) =>
      new Promise((resolve) => {
        const done = (): void => resolve(view);
        if (view !== undefined || signal.aborted) {
          done();
          return;
        }
        firstViews.add(done);
        signal.addEventListener('abort', done, { once: true });
      }),
    refresh,
    refused: (batchBytes) => {
      refused = { batchBytes, atMs: clock.monotonicMs() };
      limitAskedMs = -Infinity; // it was lowered: ask again with the next metadata
    },
    close: () => stop.abort(),
  };
}
