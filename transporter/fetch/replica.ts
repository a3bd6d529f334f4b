import type { ClusterView } from '../../shared/kafka/cluster.ts';
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import type { PartitionInfo } from '../../shared/kafka/requests/metadata.ts';

/** A follower that the leader told us to fetch from (KIP-392), until then. */
export interface PreferredReplica {
  nodeId: number;
  /** By the monotonic clock. Then the leader is asked again: replicas and racks may have changed. */
  untilMs: number;
}

export interface FetchSource {
  nodeId: number;
  isLeader: boolean;
  leaderEpoch: number;
}

/** Metadata of one partition; undefined when the brokers do not know it, or not yet. */
export function partitionInfo(
  view: ClusterView | undefined,
  { topic, partition }: TopicPartition,
): PartitionInfo | undefined {
  // Brokers list partitions in order and without gaps, but nothing promises it.
  const partitions = view?.topics.get(topic)?.partitions;
  const guess = partitions?.[partition];
  return guess?.partition === partition ? guess : partitions?.find((info) => info.partition === partition);
}

/**
 * Where to fetch a partition: the preferred replica while it is good for it, else the leader; undefined when
 * there is none.
 */
export function chooseSource(
  view: ClusterView | undefined,
  target: TopicPartition,
  preferred: PreferredReplica | undefined,
  nowMs: number,
): FetchSource | undefined {
  const info = partitionInfo(view, target);
  if (view === undefined || info === undefined) return undefined;
  const { leader, leaderEpoch, inSyncReplicas } = info;
  if (
    preferred !== undefined &&
    nowMs < preferred.untilMs &&
    view.brokers.has(preferred.nodeId) &&
    inSyncReplicas.includes(preferred.nodeId)
  ) {
    return { nodeId: preferred.nodeId, isLeader: preferred.nodeId === leader, leaderEpoch };
  }
  return view.brokers.has(leader) ? { nodeId: leader, isLeader: true, leaderEpoch } : undefined;
}
