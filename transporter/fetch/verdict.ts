import { KafkaCode } from '../../shared/kafka/error-codes.ts';
import type { DivergingEpoch, FetchedPartition } from '../../shared/kafka/requests/fetch.ts';
import type { FetchSource } from './replica.ts';

/** What an answer for one partition means for what is done next. */
export type Verdict =
  | { kind: 'records'; answer: FetchedPartition }
  /** The leader names a follower in our rack (KIP-392); it sends no records along. */
  | { kind: 'redirected'; nodeId: number }
  /** A follower lacks the offset, or has another log. It may only be behind: the leader has to be asked. */
  | { kind: 'follower-behind' }
  | { kind: 'out-of-range' }
  /** The leader's log is not the one that was read. */
  | { kind: 'diverging'; diverging: DivergingEpoch }
  | { kind: 'failed'; errorCode: number };

export function verdictOf(answer: FetchedPartition | { errorCode: number }, source: FetchSource): Verdict {
  const { errorCode } = answer;
  if (errorCode === KafkaCode.OFFSET_OUT_OF_RANGE) {
    return { kind: source.isLeader ? 'out-of-range' : 'follower-behind' };
  }
  if (errorCode !== KafkaCode.NONE) return { kind: 'failed', errorCode };
  // A request as a whole can only fail with an error; a partition that is missing without one is a broker's
  // bug.
  if (!('records' in answer)) return { kind: 'failed', errorCode: UNKNOWN_SERVER_ERROR };
  const { preferredReadReplica, divergingEpoch } = answer;
  if (divergingEpoch !== undefined) {
    return source.isLeader ? { kind: 'diverging', diverging: divergingEpoch } : { kind: 'follower-behind' };
  }
  if (preferredReadReplica >= 0 && preferredReadReplica !== source.nodeId) {
    return { kind: 'redirected', nodeId: preferredReadReplica };
  }
  return { kind: 'records', answer };
}

const UNKNOWN_SERVER_ERROR = -1;
