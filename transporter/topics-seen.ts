import type { ClusterView } from '../shared/kafka/cluster.ts';
import type { TopicPartition } from '../shared/kafka/consumer-protocol.ts';

/** The topics as this worker has seen them since it began. */
export interface TopicsSeen {
  /** Takes what a broker has answered, and says what became of topics since the last look. */
  look(view: ClusterView, nowMs: number): TopicChange[];
  /** A topic seems to be another one; the next looks tell. */
  readonly isUnsettled: boolean;
  /** Undefined while the topic has not been seen. */
  find(topic: string): { topicId: string | undefined } | undefined;
  /** Whether the partition was not there when this worker began: then every record in it is new to the group. */
  isNew(partition: TopicPartition): boolean;
}

export interface TopicChange {
  topic: string;
  /** A topic that was made anew was deleted before, and both are said. */
  kind: 'deleted' | 'made-anew';
}

interface Seen {
  topicId: string | undefined;
  /** How many there were at the first look; none of a topic that was made later. */
  firstPartitions: number;
  isDeleted: boolean;
  /** Another id than the topic's, and since when brokers answer it. */
  candidate: { topicId: string; sinceMs: number } | undefined;
}

/** So long a broker may be behind the others in what it knows of topics. */
export const SETTLE_MS = 3_000;

/** `nowMs` is of the monotonic clock. */
export function createTopicsSeen(): TopicsSeen {
  const seen = new Map<string, Seen>();

  /** Every topic is known after the first look, if only as missing. */
  const begin = (topic: string, topicId: string | undefined, firstPartitions: number): void => {
    seen.set(topic, { topicId, firstPartitions, isDeleted: firstPartitions === 0, candidate: undefined });
  };

  const lookAt = (
    known: Seen,
    now: { topic: string; topicId: string | undefined; isThere: boolean },
    nowMs: number,
  ): TopicChange[] => {
    const { topic, topicId, isThere } = now;
    const deleted: TopicChange[] = known.isDeleted ? [] : [{ topic, kind: 'deleted' }];
    if (!isThere) {
      known.isDeleted = true;
      return deleted;
    }
    if (topicId === known.topicId || topicId === undefined) {
      Object.assign(known, { topicId: known.topicId ?? topicId, isDeleted: false, candidate: undefined });
      return [];
    }
    if (known.topicId === undefined) {
      Object.assign(known, { topicId, isDeleted: false }); // made for the first time, or the brokers have learned ids
      return [];
    }
    if (known.candidate?.topicId !== topicId) known.candidate = { topicId, sinceMs: nowMs };
    if (nowMs - known.candidate.sinceMs < SETTLE_MS) return [];
    Object.assign(known, { topicId, firstPartitions: 0, isDeleted: false, candidate: undefined });
    return [...deleted, { topic, kind: 'made-anew' }];
  };

  return {
    look: (view, nowMs) =>
      [...view.topics.values()].flatMap(({ topic, topicId, partitions }) => {
        const known = seen.get(topic);
        if (known !== undefined)
          return lookAt(known, { topic, topicId, isThere: partitions.length > 0 }, nowMs);
        begin(topic, topicId, partitions.length);
        return [];
      }),
    get isUnsettled() {
      return [...seen.values()].some(({ candidate }) => candidate !== undefined);
    },
    find: (topic) => {
      const known = seen.get(topic);
      return known === undefined || known.isDeleted ? undefined : { topicId: known.topicId };
    },
    isNew: ({ topic, partition }) => partition >= (seen.get(topic)?.firstPartitions ?? 0),
  };
}
