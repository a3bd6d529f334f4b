import type { TopicPartition } from '../shared/kafka/consumer-protocol.ts';

/** The key of a partition in maps and sets; a topic name holds no slash. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** By topic, then number. By code units, so that every member of a group sorts alike whatever its locale. */
export function comparePartitions(a: TopicPartition, b: TopicPartition): number {
  return compareText(a.topic, b.topic) || a.partition - b.partition;
}

export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
