import { backoffMs, type Random } from '../../shared/clock.ts';
import type { ClusterView } from '../../shared/kafka/cluster.ts';
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import type { DivergingEpoch, FetchedPartition } from '../../shared/kafka/requests/fetch.ts';
import { chooseSource, type FetchSource, type PreferredReplica } from './replica.ts';

/** A partition that wants record batches. */
export interface FetchTarget extends TopicPartition {
  /**
   * The offset to fetch from; undefined while there is none. An answer for another offset than this is about
   * the past.
   */
  readonly position: number | undefined;
  /** Of the leader that wrote the record before the position; undefined when it is not known. */
  readonly lastEpoch?: number | undefined;
  /** Of the topic that the position is in; undefined where brokers have no ids. */
  readonly topicId?: string | undefined;
  /**
   * `none`: what came first is not yet stored. `urgent`: needs records also when the memory budget is used
   * up.
   */
  readonly appetite: 'none' | 'normal' | 'urgent';
  /** Set after damaged bytes: another replica may have better ones. */
  readonly isLeaderOnly: boolean;
  /** Set when it has to be known where the log ends now. */
  readonly isLogEndWanted: boolean;
  /** The leader was asked at this time of the wall clock, and had this high watermark. A follower may know an older one. */
  onLogEnd(highWatermark: number, askedAtMs: number): void;
  /**
   * An answer for the position; may be empty. No record in it is of a later leader than that of `leaderEpoch`.
   * @throws SkaldError WIRE_CORRUPT when nothing in it makes sense
   */
  onAnswer(answer: FetchedPartition, leaderEpoch: number): void;
  /** The leader of this epoch does not have the position. There is no appetite until that is resolved. */
  onOutOfRange(leaderEpoch: number): void;
  /** The log of the leader of this epoch is not the one that was read. There is no appetite until that is resolved. */
  onDiverging(diverging: DivergingEpoch, leaderEpoch: number): void;
}

/** Something that is left alone for a while after it failed. All times are of the monotonic clock. */
export interface Failing {
  failures: number;
  notBeforeMs: number;
}

/** How one target is fetched. */
export interface Cursor extends Failing {
  target: FetchTarget;
  isInFlight: boolean;
  preferred: PreferredReplica | undefined;
  /**
   * A follower failed: until then the leader is asked without a rack, so that it does not send us there
   * again.
   */
  onlyLeaderUntilMs: number;
}

const BACKOFF = { baseMs: 100, maxMs: 5_000 };
const FOLLOWER_PENALTY_MS = 30_000;

export function createCursor(target: FetchTarget): Cursor {
  return {
    target,
    isInFlight: false,
    failures: 0,
    notBeforeMs: 0,
    preferred: undefined,
    onlyLeaderUntilMs: 0,
  };
}

export function backOff(item: Failing, nowMs: number, random: Random): void {
  item.notBeforeMs = nowMs + backoffMs(item.failures, BACKOFF, random);
  item.failures += 1;
}

export function leaveFollower(cursor: Cursor, nowMs: number): void {
  cursor.preferred = undefined;
  cursor.onlyLeaderUntilMs = nowMs + FOLLOWER_PENALTY_MS;
}

export function sourceOf(
  cursor: Cursor,
  view: ClusterView | undefined,
  nowMs: number,
): FetchSource | undefined {
  const preferred = nowMs < cursor.onlyLeaderUntilMs ? undefined : cursor.preferred;
  return chooseSource(view, cursor.target, preferred, nowMs);
}
