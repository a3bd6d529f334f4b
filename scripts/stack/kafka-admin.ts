import kafkajs from 'kafkajs';
import type { Admin } from 'kafkajs';

const CONNECTION_TIMEOUT_MS = 2000;
const REQUEST_TIMEOUT_MS = 5000;
/** Nobody asks twice for a topic, and a disk that is busy with other things can hold a broker up for seconds. */
const CREATE_TIMEOUT_MS = 60_000;
/** Asking for its offsets makes the broker create the offsets topic; no consumer ever joins it. */
const PROBE_GROUP = 'skald-stack-probe';

export interface ExpectedBroker {
  id: number;
  rack: string;
}

/** The ids of the brokers in the cluster's metadata that answer with the rack they should have. Throws while none answers. */
export async function readyBrokers(
  bootstrap: readonly string[],
  expected: readonly ExpectedBroker[],
): Promise<Set<number>> {
  return withAdmin(bootstrap, async (admin) => {
    const { brokers } = await admin.describeCluster();
    const ready = new Set<number>();
    for (const { id, rack } of expected) {
      if (!brokers.some(({ nodeId }) => nodeId === id)) continue;
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [
          { type: kafkajs.ConfigResourceTypes.BROKER, name: String(id), configNames: ['broker.rack'] },
        ],
      });
      if (resources[0]?.configEntries[0]?.configValue === rack) ready.add(id);
    }
    return ready;
  });
}

/** True when consumer groups can be used: the offsets topic exists and its coordinator answers. Throws until then. */
export async function groupsAnswer(bootstrap: readonly string[]): Promise<true> {
  return withAdmin(bootstrap, async (admin) => {
    // The client looks for a coordinator only among brokers that it has met.
    await admin.fetchTopicMetadata();
    await admin.fetchOffsets({ groupId: PROBE_GROUP });
    return true as const;
  });
}

export interface TopicOptions {
  partitions: number;
  /** The cluster's default (3, or 1 in a cluster of one) when absent. */
  replicationFactor?: number;
  /** Topic settings such as `max.message.bytes`. */
  settings?: Readonly<Record<string, string>>;
  /** Replicas of each partition by broker id, the preferred leader first; decides over the two counts above. */
  replicaAssignment?: readonly (readonly number[])[];
}

/** Creates a topic; rejects when it exists. It can be used when `topicIsReady` says so, a moment later. */
export async function createTopic(
  bootstrap: readonly string[],
  topic: string,
  { partitions, replicationFactor, settings = {}, replicaAssignment }: TopicOptions,
): Promise<void> {
  const layout =
    replicaAssignment === undefined
      ? { numPartitions: partitions, replicationFactor: replicationFactor ?? -1 }
      : {
          replicaAssignment: replicaAssignment.map((replicas, partition) => ({
            partition,
            replicas: [...replicas],
          })),
        };
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  await withAdmin(
    bootstrap,
    async (admin) =>
      admin.createTopics({
        topics: [{ topic, ...layout, configEntries }],
        waitForLeaders: false,
        timeout: CREATE_TIMEOUT_MS,
      }),
    CREATE_TIMEOUT_MS,
  );
}

export interface PartitionState {
  partition: number;
  /** A broker id; -1 while there is none. */
  leader: number;
  replicas: readonly number[];
  inSync: readonly number[];
}

/**
 * What the brokers at `bootstrap` believe of a topic, in the order of its partitions. Throws while they do not know it.
 * Ask one address to learn what that broker believes; they learn of a change one after another.
 */
export async function describeTopic(bootstrap: readonly string[], topic: string): Promise<PartitionState[]> {
  return withAdmin(bootstrap, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return (topics[0]?.partitions ?? [])
      .map(({ partitionId, leader, replicas, isr }) => ({
        partition: partitionId,
        leader,
        replicas,
        inSync: isr,
      }))
      .toSorted((a, b) => a.partition - b.partition);
  });
}

/**
 * True when every broker, asked by itself, knows a leader for all `partitions` and sees every replica in sync, and each
 * leader answers as one: a client that asks too early is told that there is no such topic, or, by a broker that has
 * read of its election and not taken it up, that it does not lead.
 */
export async function topicIsReady(
  bootstrap: readonly string[],
  topic: string,
  partitions: number,
): Promise<boolean> {
  const answers = await Promise.all(bootstrap.map((address) => describeTopic([address], topic)));
  const isKnown = answers.every(
    (states) =>
      states.length === partitions &&
      states.every(({ leader, replicas, inSync }) => leader >= 0 && inSync.length === replicas.length),
  );
  if (!isKnown) return false;
  const offsets = await withAdmin(bootstrap, async (admin) => admin.fetchTopicOffsets(topic));
  return offsets.length === partitions;
}

/** kafkajs is kept quiet and without retries: the caller polls, and a broker that is not up yet is no error. */
async function withAdmin<T>(
  bootstrap: readonly string[],
  use: (admin: Admin) => Promise<T>,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
): Promise<T> {
  const kafka = new kafkajs.Kafka({
    clientId: 'skald-stack',
    brokers: [...bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}
