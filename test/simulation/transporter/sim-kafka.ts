import type { Clock, Random } from '../../../shared/clock.ts';
import { SkaldError } from '../../../shared/errors.ts';
import { KafkaCode } from '../../../shared/kafka/error-codes.ts';
import type { FetchedPartition, FetchPartition } from '../../../shared/kafka/requests/fetch.ts';
import { EARLIEST } from '../../../shared/kafka/requests/list-offsets.ts';
import type { FetchOptions, KafkaPort } from '../../../transporter/kafka-port.ts';
import type { SimGroup } from './sim-group.ts';
import { answerFetch, type SimPartition, simPartition } from './sim-log.ts';
import type { SimNetwork } from './sim-network.ts';
import type { WorkerLife } from './worker-life.ts';

export const BROKERS = [1, 2, 3].map((nodeId) => ({
  nodeId,
  host: `broker-${nodeId}`,
  port: 9092,
  rack: `rack-${nodeId}`,
}));

const UNKNOWN_TOPIC_ID = 100;

export interface SimKafkaOptions {
  topic: string;
  /** Of the topic as it is now. */
  topicId: () => string;
  partitions: readonly SimPartition[];
  group: SimGroup;
  network: SimNetwork;
  clock: Clock;
  random: Random;
  /** Whether brokers look at the epoch that was fetched last; those before 3.1 do not. */
  tellsEpochs: () => boolean;
  /** Share of fetched partitions that a broker answers with a passing error. */
  refusals: () => number;
}

/** What one worker sees of the cluster: all of its calls go through the network and through its life. */
export function simKafka(life: WorkerLife, options: SimKafkaOptions): KafkaPort {
  const { topic, partitions, group, network, clock, random } = options;

  const view = () => ({
    clusterId: 'sim',
    controllerId: 1,
    brokers: new Map(BROKERS.map((broker) => [broker.nodeId, broker])),
    topics: new Map([
      [topic, { topic, topicId: options.topicId(), errorCode: 0, partitions: partitions.map(describe) }],
    ]),
  });

  const describe = ({ leader, leaderEpoch }: SimPartition, partition: number) => ({
    topic,
    partition,
    leader,
    leaderEpoch,
    replicas: [1, 2, 3],
    inSyncReplicas: [1, 2, 3],
    offlineReplicas: [],
    errorCode: 0,
  });

  const answerOne = (nodeId: number, rackId: string, asked: FetchPartition): FetchedPartition => {
    const partition = partitions[asked.partition] ?? simPartition(-1);
    const isKnown = asked.topicId === undefined || asked.topicId === options.topicId();
    const near = BROKERS.find(({ rack }) => rack === rackId)?.nodeId ?? -1;
    const isLeader = nodeId === partition.leader;
    const isRefused = random() < options.refusals();
    const understood = options.tellsEpochs() ? asked : { ...asked, lastFetchedEpoch: -1 };
    const answered = answerFetch(partition, understood, isLeader && near !== nodeId ? near : -1);
    const isNow = (asked.leaderEpoch ?? -1) === partition.leaderEpoch;
    if (isKnown && isNow && !isRefused && (isLeader || nodeId === near)) return answered;
    const errorCode = isKnown ? KafkaCode.NOT_LEADER_OR_FOLLOWER : UNKNOWN_TOPIC_ID;
    return { ...answered, errorCode, records: Buffer.alloc(0) };
  };

  const isWorthAnAnswer = ({
    records,
    errorCode,
    preferredReadReplica,
    divergingEpoch,
  }: FetchedPartition): boolean =>
    records.length > 0 || errorCode !== 0 || preferredReadReplica >= 0 || divergingEpoch !== undefined;

  const fetch = async (nodeId: number, asked: FetchOptions) => {
    const answer = () => asked.partitions.map((one) => answerOne(nodeId, asked.rackId, one));
    const now = await network.call(life, 'fetch', answer);
    if (now.some(isWorthAnAnswer)) return { throttleMs: 0, errorCode: 0, partitions: now };
    await life.through(clock.sleep(asked.maxWaitMs));
    const later = await network.call(life, 'fetch', answer);
    return { throttleMs: 0, errorCode: 0, partitions: later };
  };

  return {
    metadata: () => network.call(life, 'metadata', view),
    fetch,
    // Whoever looks again finds nonsense.
    giveBack: (answer) => {
      for (const { records } of answer.partitions) records.fill(0xff);
    },
    listOffset: (nodeId, asked) =>
      network.call(life, 'listOffset', () => {
        const partition = partitions[asked.partition]!;
        if (partition.leader !== nodeId) throw new SkaldError('KAFKA_DISCONNECTED', 'not the leader');
        const offset = asked.timestamp === EARLIEST ? partition.logStart : partition.end;
        return { topic, partition: asked.partition, errorCode: 0, offset, timestampMs: -1 };
      }),
    joinGroup: (joining) => group.join(life, joining),
    commitOffsets: (member, offsets) => network.call(life, 'commit', () => group.commit(member, offsets)),
    fetchOffsets: (asked) => network.call(life, 'fetchOffsets', () => group.fetch(asked)),
  };
}
