/** How far a group is with its topics, from what it has committed and where the logs end: no worker is asked. */
import type { KafkaCluster } from '../../shared/kafka/cluster.ts';
import type { Coordinator } from '../../shared/kafka/coordinator.ts';
import { SkaldError } from '../../shared/errors.ts';
import { EARLIEST, LATEST, listOffsetsRequest } from '../../shared/kafka/requests/list-offsets.ts';
import type { PartitionInfo } from '../../shared/kafka/requests/metadata.ts';
import { decodeProgress } from './progress.ts';

export interface PartitionStanding {
  partition: number;
  /** Unix milliseconds up to which it is complete in the store; undefined while the group does not know. */
  throughMs: number | undefined;
  /** Undefined before the group's first commit. */
  committedOffset: number | undefined;
  /** High watermark; undefined while it has no leader that answers. */
  endOffset: number | undefined;
  /** Records, or the gaps that they left, that are not stored yet; undefined where one of the two is not known. */
  lagRecords: number | undefined;
}

export interface TopicStanding {
  topic: string;
  /** That of its slowest partition. */
  throughMs: number | undefined;
  /** Of the partitions of which it is known. */
  lagRecords: number;
  /** In the order of their numbers. */
  partitions: PartitionStanding[];
}

export interface StandingSources {
  cluster: Pick<KafkaCluster, 'metadata' | 'send'>;
  coordinator: Pick<Coordinator, 'fetchOffsets'>;
}

/** @throws SkaldError KAFKA_TOPIC_MISSING, and those of a request that has no good answer */
export async function topicStanding(topic: string, sources: StandingSources): Promise<TopicStanding> {
  const { cluster, coordinator } = sources;
  const found = (await cluster.metadata([topic])).topics.get(topic)?.partitions ?? [];
  if (found.length === 0) {
    throw new SkaldError(
      'KAFKA_TOPIC_MISSING',
      `Topic ${topic} does not exist, or this user may not see it.`,
    );
  }
  const offsets = await coordinator.fetchOffsets(found.map(({ partition }) => ({ topic, partition })));
  const committed = new Map(offsets.map((offset) => [offset.partition, offset]));
  const [starts, ends] = await Promise.all([EARLIEST, LATEST].map((at) => logOffsets(found, at, cluster)));
  const partitions = found.map(({ partition }): PartitionStanding => {
    const { offset = -1, metadata = '' } = committed.get(partition) ?? {};
    const endOffset = ends!.get(partition);
    const from = offset >= 0 ? offset : starts!.get(partition);
    return {
      partition,
      throughMs: decodeProgress(metadata).through,
      committedOffset: offset >= 0 ? offset : undefined,
      endOffset,
      lagRecords: endOffset === undefined || from === undefined ? undefined : Math.max(0, endOffset - from),
    };
  });
  return {
    topic,
    throughMs: slowestOf(partitions),
    lagRecords: partitions.reduce((sum, { lagRecords = 0 }) => sum + lagRecords, 0),
    partitions,
  };
}

/** One that the group has not begun with and that has never had a record holds nothing back. */
function slowestOf(partitions: readonly PartitionStanding[]): number | undefined {
  const counted = partitions.filter(
    ({ committedOffset, lagRecords }) => committedOffset !== undefined || lagRecords !== 0,
  );
  const throughs = counted.map(({ throughMs }) => throughMs ?? -Infinity);
  const slowest = Math.min(...throughs);
  return Number.isFinite(slowest) ? slowest : undefined;
}

/** By partition; without those that no leader answers for. */
async function logOffsets(
  partitions: readonly PartitionInfo[],
  timestamp: number,
  cluster: StandingSources['cluster'],
): Promise<Map<number, number>> {
  const leaders = new Set(partitions.map(({ leader }) => leader).filter((leader) => leader >= 0));
  const answers = await Promise.all(
    [...leaders].map((leader) => {
      const led = partitions.filter((partition) => partition.leader === leader);
      const asked = led.map(({ topic, partition }) => ({ topic, partition, timestamp }));
      const request = listOffsetsRequest({ isolation: 'read_uncommitted', partitions: asked });
      return cluster.send(leader, 'control', request);
    }),
  );
  const good = answers.flatMap((answer) => answer.partitions).filter(({ errorCode }) => errorCode === 0);
  return new Map(good.map(({ partition, offset }) => [partition, offset]));
}
