import type { ClusterView } from '../../shared/kafka/cluster.ts';
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import type { MemberSubscription } from '../../shared/kafka/group.ts';
import { comparePartitions, compareText } from '../topic-partition.ts';
import { type AssignablePartition, assignPartitions } from './assign-partitions.ts';

/**
 * What the group's leader answers: the partitions of every topic, dealt out among the members that subscribe
 * to it. Topics with the same subscribers are dealt out together; differing subscriptions only exist while a
 * fleet takes over a new configuration.
 */
export function assignTopics(
  members: readonly MemberSubscription[],
  view: Pick<ClusterView, 'brokers' | 'topics'>,
): Map<string, TopicPartition[]> {
  const result = new Map<string, TopicPartition[]>(members.map(({ memberId }) => [memberId, []]));
  for (const { subscribers, topics } of topicsBySubscribers(members)) {
    const assigned = assignPartitions({
      members: subscribers.map(({ memberId, rack, owned }) => ({ id: memberId, rack, owned })),
      partitions: topics.flatMap((topic) => partitionsOf(topic, view)),
    });
    for (const [memberId, partitions] of assigned) result.get(memberId)!.push(...partitions);
  }
  for (const partitions of result.values()) partitions.sort(comparePartitions);
  return result;
}

function topicsBySubscribers(
  members: readonly MemberSubscription[],
): { subscribers: MemberSubscription[]; topics: string[] }[] {
  const groups = new Map<string, { subscribers: MemberSubscription[]; topics: string[] }>();
  const topics = [...new Set(members.flatMap((member) => member.topics))].sort(compareText);
  for (const topic of topics) {
    const subscribers = members.filter((member) => member.topics.includes(topic));
    const key = JSON.stringify(subscribers.map(({ memberId }) => memberId).sort(compareText));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { subscribers, topics: [topic] });
    else group.topics.push(topic);
  }
  return [...groups.values()];
}

/** A topic that does not exist, or that we may not see, has none. */
function partitionsOf(
  topic: string,
  { brokers, topics }: Pick<ClusterView, 'brokers' | 'topics'>,
): AssignablePartition[] {
  return (topics.get(topic)?.partitions ?? []).map(({ partition, leader, replicas }) => ({
    topic,
    partition,
    leaderRack: brokers.get(leader)?.rack,
    replicaRacks: replicas.flatMap((nodeId) => brokers.get(nodeId)?.rack ?? []),
  }));
}
