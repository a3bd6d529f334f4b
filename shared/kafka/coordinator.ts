/** Requests that must go to a group's coordinator, which is looked up, remembered, and looked up again when it moves. */
import { SkaldError } from '../errors.ts';
import type { KafkaCluster, Lane } from './cluster.ts';
import { KafkaCode, kafkaError } from './error-codes.ts';
import type { KafkaRequest } from './protocol.ts';
import { findCoordinatorRequest, type MemberRef } from './requests/group.ts';
import {
  type CommittedOffset,
  offsetCommitRequest,
  offsetFetchRequest,
  type OffsetToCommit,
  type PartitionError,
} from './requests/offsets.ts';
import type { TopicPartition } from './consumer-protocol.ts';

/** One generation's identity in a group; the coordinator fences commits of older generations by it. */
export interface GroupMember extends MemberRef {
  generationId: number;
}

export interface Coordinator {
  /** One try: a lost connection or a moved coordinator is thrown as retryable, and forgotten for the next try. */
  send<T>(lane: Lane, request: KafkaRequest<T>, errorCodeOf: (answer: T) => number): Promise<T>;
  /**
   * Commits under the fence of `member`'s generation. Codes per partition are in the answer.
   * @throws SkaldError when no answer came: then it is unknown whether the commit happened, and offsets must be read back.
   */
  commitOffsets(member: GroupMember, offsets: readonly OffsetToCommit[]): Promise<PartitionError[]>;
  /** Committed offsets with their metadata; offset -1 where the group has none. @throws SkaldError, retryable or not */
  fetchOffsets(partitions: readonly TopicPartition[]): Promise<CommittedOffset[]>;
}

const MOVED: readonly number[] = [
  KafkaCode.NOT_COORDINATOR,
  KafkaCode.COORDINATOR_NOT_AVAILABLE,
  KafkaCode.COORDINATOR_LOAD_IN_PROGRESS,
];

function refused(doing: string, groupId: string, code: number): SkaldError {
  const { name, message, retriable } = kafkaError(code);
  return new SkaldError('KAFKA_REFUSED', `${doing} for group ${groupId}: ${name}, ${message}.`, {
    retryable: retriable,
    where: { group: groupId, kafkaCode: code },
  });
}

export function coordinatorOf(cluster: KafkaCluster, groupId: string): Coordinator {
  let nodeId: number | undefined;

  const find = async (): Promise<number> => {
    if (nodeId !== undefined) return nodeId;
    const found = await cluster.sendToAny(findCoordinatorRequest(groupId));
    if (found.errorCode !== 0) throw refused('FindCoordinator', groupId, found.errorCode);
    await cluster.metadata([]); // so that the node id has an address
    nodeId = found.nodeId;
    return found.nodeId;
  };

  const send = async <T>(
    lane: Lane,
    request: KafkaRequest<T>,
    errorCodeOf: (answer: T) => number,
  ): Promise<T> => {
    const target = await find();
    let answer: T;
    try {
      answer = await cluster.send(target, lane, request);
    } catch (error) {
      nodeId = undefined;
      throw error;
    }
    const code = errorCodeOf(answer);
    if (MOVED.includes(code)) {
      nodeId = undefined;
      throw refused(request.apiName, groupId, code);
    }
    return answer;
  };

  return {
    send,
    commitOffsets: (member, offsets) =>
      send(
        'control',
        offsetCommitRequest({ ...member, offsets }),
        (answer) => answer.find((p) => MOVED.includes(p.errorCode))?.errorCode ?? 0,
      ),
    fetchOffsets: async (partitions) => {
      const answer = await send('control', offsetFetchRequest({ groupId, partitions }), (a) => a.errorCode);
      const failed = answer.errorCode || (answer.offsets.find((o) => o.errorCode !== 0)?.errorCode ?? 0);
      if (failed !== 0) throw refused('OffsetFetch', groupId, failed);
      return answer.offsets;
    },
  };
}
