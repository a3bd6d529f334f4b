/**
 * All that the transporter asks of Kafka, as functions. Production passes requests on; a simulation answers
 * them itself.
 */
import type { KafkaCluster } from '../shared/kafka/cluster.ts';
import type { ClusterView } from '../shared/kafka/cluster.ts';
import { type Coordinator, coordinatorOf } from '../shared/kafka/coordinator.ts';
import { type GroupMembership, type GroupOptions, joinGroup } from '../shared/kafka/group.ts';
import {
  type FetchAnswer,
  type FetchPartition,
  fetchRequest,
  type Isolation,
} from '../shared/kafka/requests/fetch.ts';
import { type ListedOffset, listOffsetsRequest } from '../shared/kafka/requests/list-offsets.ts';
import { type SharedBuffers, sharedBuffers } from '../shared/shared-buffers.ts';

export interface FetchOptions {
  partitions: readonly FetchPartition[];
  maxWaitMs: number;
  minBytes: number;
  maxBytes: number;
  isolation: Isolation;
  rackId: string;
}

export interface KafkaPort extends Pick<Coordinator, 'commitOffsets' | 'fetchOffsets'> {
  metadata(topics: readonly string[]): Promise<ClusterView>;
  fetch(nodeId: number, options: FetchOptions): Promise<FetchAnswer>;
  /** Nobody looks at the records of this answer any more: their memory may be used again. */
  giveBack(answer: FetchAnswer): void;
  /** From the partition's leader. `timestamp` is one of LATEST and EARLIEST. */
  listOffset(
    nodeId: number,
    asked: { topic: string; partition: number; timestamp: number; isolation: Isolation },
  ): Promise<ListedOffset | undefined>;
  joinGroup(options: GroupOptions): GroupMembership;
}

/** For large answers, each alone in its memory, by which it is given back; keeps at most `spareBytes` while nobody uses them. */
export function answerMemory(spareBytes: number): SharedBuffers {
  return sharedBuffers(spareBytes, 0);
}

/** `answers` is the memory that the cluster's connections read large answers into. */
export function kafkaPort(
  cluster: KafkaCluster,
  groupId: string,
  answers: Pick<SharedBuffers, 'giveBack'>,
): KafkaPort {
  const coordinator = coordinatorOf(cluster, groupId);
  return {
    metadata: (topics) => cluster.metadata(topics),
    fetch: (nodeId, options) => cluster.send(nodeId, 'fetch', fetchRequest(options)),
    giveBack: ({ partitions }) => {
      // All records are views of the same answer, but where there are none.
      for (const { records } of partitions) answers.giveBack(new Uint8Array(records.buffer));
    },
    listOffset: async (nodeId, { isolation, ...asked }) => {
      const answer = await cluster.send(
        nodeId,
        'control',
        listOffsetsRequest({ isolation, partitions: [asked] }),
      );
      return answer.partitions[0];
    },
    joinGroup: (options) => joinGroup(coordinator, options),
    commitOffsets: (member, offsets) => coordinator.commitOffsets(member, offsets),
    fetchOffsets: (partitions) => coordinator.fetchOffsets(partitions),
  };
}
