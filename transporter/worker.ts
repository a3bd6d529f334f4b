/**
 * A worker of the fleet: assign -> fetch -> decode -> cut -> intent -> upload -> commit.
 *
 * The group assigns partitions; each has a flow (partition-flow.ts), which is what the fetcher fetches for.
 * Kafka, store, decoder, clock and randomness are given, so that a simulation can own them; transporter.ts
 * gives the real ones.
 */
import type { Clock, Random } from '../shared/clock.ts';
import type { TransporterConfig } from '../shared/config/transporter-config.ts';
import type { ClusterView } from '../shared/kafka/cluster.ts';
import type { TopicPartition } from '../shared/kafka/consumer-protocol.ts';
import type { CommittedOffset } from '../shared/kafka/requests/offsets.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { repeatedLog } from '../shared/telemetry/repeated-log.ts';
import type { TransporterMetrics } from '../shared/telemetry/transporter-metrics.ts';
import { assignTopics } from './assign/assign-topics.ts';
import { createOwnership } from './assign/ownership.ts';
import { createCommitQueue } from './chunk/commit-queue.ts';
import { createReplayQueue } from './chunk/replay-queue.ts';
import { firstProgress } from './complete/topic-progress.ts';
import { watchCompleteness } from './complete/watch-completeness.ts';
import { JOB_BYTES } from './decode/decode-range.ts';
import type { Decoder } from './decode/decoder.ts';
import { createGrowth } from './decode/growth.ts';
import { createFetcher } from './fetch/fetcher.ts';
import { createLogOffsets } from './fetch/log-offsets.ts';
import { watchTopology } from './fetch/topology.ts';
import { type FlowCounts, flowCounts } from './flow-counts.ts';
import type { KafkaPort } from './kafka-port.ts';
import { createMemoryBudget, type MemoryBudget } from './memory-budget.ts';
import { chooseForPressure } from './memory-pressure.ts';
import { createTopicsSeen, type TopicChange } from './topics-seen.ts';
import { type FlowStatus, type PartitionFlow, startPartitionFlow } from './partition-flow.ts';
import type { ObjectStore } from './store/object-store.ts';
import { patientStore, type WaitingObjects } from './store/patient-store.ts';

export interface WorkerOptions {
  config: TransporterConfig;
  kafka: KafkaPort;
  store: ObjectStore;
  decoder: Decoder;
  clock: Clock;
  random: Random;
  metrics: TransporterMetrics;
  logger: Logger;
}

export interface Worker {
  readonly budget: MemoryBudget;
  readonly waitingObjects: WaitingObjects;
  /** Undefined while it belongs to no generation of the group. */
  readonly generation: number | undefined;
  /** Why it cannot do its work now, in words; empty when it can. */
  problems(): string[];
  flows(): FlowStatus[];
  /** Takes nothing more, and finishes what it has, until the signal aborts. */
  drain(signal: AbortSignal): Promise<void>;
  /** Leaves the group and lets go of everything that is not committed. Twice is fine. */
  close(): Promise<void>;
  /** Resolves after `close`; rejects when the worker cannot go on. */
  readonly done: Promise<void>;
}

const ASSIGNER_NAME = 'skald-rack-aware';
/** How often ages, bucket ends and memory are looked at. */
const TICK_MS = 500;
const PROBLEM_INTERVAL_MS = 60_000;
/** How soon a topic that does not exist is asked for again: whoever creates it is waiting to see it flow. */
const MISSING_TOPIC_MS = 2_000;
/** Looking for the largest of thousands of chunks is not free. */
const RELIEF_INTERVAL_MS = 50;
/** Some jobs of the decoder for one partition: with less than one it would wait for bytes that it never fetches. */
const MIN_UNDECODED_BYTES = 4 * JOB_BYTES;
/** Of the memory budget; the rest is for chunks that can be cut when they are in the way. */
const REPLAY_SHARE = 0.5;

export function startWorker(options: WorkerOptions): Worker {
  const { config, kafka, decoder, clock, random, metrics, logger } = options;
  const stop = new AbortController();
  const { signal } = stop;
  const topics = new Map(config.topics.map((topic) => [topic.topic, topic]));
  const counts = new Map<string, FlowCounts>(
    [...topics.keys()].map((topic) => [topic, flowCounts(metrics, topic)]),
  );
  const problems = repeatedLog({ logger, clock, intervalMs: PROBLEM_INTERVAL_MS });
  const common = { kafka, clock, random, problems, metrics, signal };
  const store = patientStore({ ...common, store: options.store, logger });
  const budget = createMemoryBudget(config.limits.memoryBytes, () => fetcher.wake());
  const growth = createGrowth();
  const replays = createReplayQueue(config.limits.memoryBytes * REPLAY_SHARE);
  let fail = (_error: unknown): void => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });

  const topicsSeen = createTopicsSeen();
  const topology = watchTopology({
    ...common,
    ask: () => kafka.metadata([...topics.keys()]),
    maxAgeMs: (view) => {
      const isIncomplete = missingTopics(view).length > 0 || topicsSeen.isUnsettled;
      return Math.min(config.cluster.metadataMaxAgeMs, isIncomplete ? MISSING_TOPIC_MS : Infinity);
    },
    onView: (view) => {
      fetcher.wake();
      for (const change of topicsSeen.look(view, clock.monotonicMs())) onTopicChange(change);
      for (const topic of missingTopics(view)) {
        problems.warn(
          `topic/${topic}`,
          { topic, code: 'KAFKA_TOPIC_MISSING' },
          'a topic does not exist, or may not be seen',
        );
      }
      const count = partitionCount(view);
      // The group's leader deals out anew when it joins again; from the others it is only a question.
      if (knownPartitions !== undefined && count !== knownPartitions) membership.rejoin();
      knownPartitions = count;
    },
  });
  let knownPartitions: number | undefined;

  const onTopicChange = ({ topic, kind }: TopicChange): void => {
    const ofTopic = [...flows.values()].filter((flow) => flow.topic === topic);
    if (kind === 'deleted') {
      const lostOffsets = sumOf(ofTopic.map((flow) => uncarriedOffsets(flow.status())));
      counts.get(topic)!.lost(lostOffsets);
      const fields = { topic, partitions: ofTopic.length, lostOffsets };
      logger.error(fields, 'the topic was deleted: what was not carried of it is lost');
      return;
    }
    logger.warn(
      { topic },
      'the topic was made anew: it is carried from its beginning, beside the objects of before',
    );
    for (const flow of ofTopic) flow.beginAnew();
  };

  const fetcher = createFetcher({
    ...common,
    topology,
    budget,
    growth,
    config: config.fetch,
    rack: config.rack,
    preferredMaxAgeMs: config.cluster.metadataMaxAgeMs,
  });
  const askLogOffset = createLogOffsets({ ...common, topology, isolation: config.fetch.isolation });
  const commits = createCommitQueue(common);

  const begin = ({ topic, partition }: TopicPartition, committed: CommittedOffset): PartitionFlow => {
    const flow = startPartitionFlow({
      ...common,
      partition,
      config: topics.get(topic)!,
      startFrom: config.startFrom,
      topicsSeen,
      maxUndecodedBytes: Math.max(2 * config.fetch.maxPartitionBytes, MIN_UNDECODED_BYTES),
      budget,
      committed,
      readCommitted: async () => (await kafka.fetchOffsets([{ topic, partition }]))[0]!,
      firstProgress: async () =>
        firstProgress(partition, (await kafka.fetchOffsets([{ topic, partition: 0 }]))[0]),
      commits,
      askLogOffset,
      replays,
      store,
      decoder,
      growth,
      counts: counts.get(topic)!,
      logger,
      onChange: () => {
        fetcher.wake();
        relieve();
      },
    });
    flow.done.catch(fail);
    fetcher.add(flow);
    return flow;
  };

  const ownership = createOwnership({ ...common, commits, begin, end: (flow) => fetcher.remove(flow) });
  const { flows } = ownership;
  const completeness = watchCompleteness({
    ...common,
    topics: config.topics,
    flows,
    topology,
    store: options.store,
    logger,
  });

  const membership = kafka.joinGroup({
    groupId: config.group,
    // Static (KIP-345): a worker that is back within the session time-out has its partitions without a rebalance.
    groupInstanceId: config.member,
    topics: [...topics.keys()],
    rack: config.rack,
    sessionTimeoutMs: config.sessionTimeoutMs,
    rebalanceTimeoutMs: config.rebalanceTimeoutMs,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    leaveOnClose: config.leaveOnStop,
    assignerName: ASSIGNER_NAME,
    owned: () => [...flows.values()].map(({ topic, partition }) => ({ topic, partition })),
    assign: async (members) => {
      const subscribed = [...new Set(members.flatMap((member) => member.topics))];
      return assignTopics(members, await kafka.metadata(subscribed));
    },
    onAssigned: (member, partitions) => {
      metrics.rebalances.inc();
      // Others may still have a topic that this worker's file does not name any more.
      ownership.onAssigned(
        member,
        partitions.filter(({ topic }) => topics.has(topic)),
      );
    },
    onLost: () => ownership.onLost(),
    logger,
    clock,
    random,
  });

  membership.done.catch(fail);

  let relievedAtMs = -Infinity;
  const relieve = (): void => {
    if (clock.monotonicMs() - relievedAtMs < RELIEF_INTERVAL_MS) return;
    relievedAtMs = clock.monotonicMs();
    for (const flow of chooseForPressure(flows.values(), budget)) flow.cutEarly();
  };

  const tick = async (): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(TICK_MS, signal);
      for (const flow of flows.values()) flow.check();
      relieve();
    }
  };

  const drain = async (patience: AbortSignal): Promise<void> => {
    ownership.freeze();
    const drained = Promise.all([...flows.values()].map((flow) => flow.drain()));
    await Promise.race([drained, failed, aborted(patience)]);
  };

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      stop.abort();
      fetcher.stop();
      for (const flow of flows.values()) flow.abandon();
      await membership.close();
      await Promise.allSettled([ticking, topology.done, commits.done, completeness]);
      problems.flush();
    })());

  const ticking = tick();
  const done = Promise.race([
    failed,
    Promise.all([membership.done, ticking, topology.done, commits.done, completeness]).then(() => closing),
  ]);
  done.catch(() => {}); // whoever wants it has it

  return {
    budget,
    waitingObjects: store.waiting,
    get generation() {
      return membership.current?.generationId;
    },
    problems: () => [
      ...(membership.current === undefined ? ['not a member of the group'] : []),
      ...(topology.view === undefined
        ? ['no broker has answered yet']
        : missingTopics(topology.view).map((topic) => `topic ${topic} does not exist, or may not be seen`)),
      ...(store.waiting.problem === undefined ? [] : [store.waiting.problem]),
      ...[...flows.values()].flatMap((flow) => flow.status().problem ?? []),
    ],
    flows: () => [...flows.values()].map((flow) => flow.status()),
    drain,
    close,
    done,
  };
}

/** Of the partition, as far as we know where it ended. */
function uncarriedOffsets({ highWatermark = 0, committedOffset = 0 }: FlowStatus): number {
  return Math.max(0, highWatermark - Math.max(0, committedOffset));
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function partitionCount(view: ClusterView): number {
  return [...view.topics.values()].reduce((sum, topic) => sum + topic.partitions.length, 0);
}

function missingTopics(view: ClusterView): string[] {
  return [...view.topics.values()]
    .filter(({ partitions }) => partitions.length === 0)
    .map(({ topic }) => topic);
}

/** Resolves when the signal aborts. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
