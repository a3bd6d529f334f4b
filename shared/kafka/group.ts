/**
 * Membership in a consumer group, and nothing else: no fetching, no offsets. kafkajs's own consumer is not used because
 * it gives no generation to commit under, stops fetching during a rebalance and has no static membership (KIP-345);
 * see docs/decisions/0002-own-group-membership.md.
 * Source: https://kafka.apache.org/protocol and KIP-62 (heartbeats), KIP-345 (static members), KIP-394 (member id required).
 */
import { createHash } from 'node:crypto';
import { backoffMs, type Clock, type Random } from '../clock.ts';
import { isSkaldError, messageOf, SkaldError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Subscription,
  type TopicPartition,
} from './consumer-protocol.ts';
import type { Coordinator, GroupMember } from './coordinator.ts';
import { KafkaCode, kafkaError } from './error-codes.ts';
import { leaveGroup } from './leave-group.ts';
import { heartbeatRequest, type JoinAnswer, joinGroupRequest, syncGroupRequest } from './requests/group.ts';

export interface MemberSubscription {
  memberId: string;
  groupInstanceId: string | undefined;
  topics: string[];
  owned: TopicPartition[];
  rack: string | undefined;
}

export interface GroupOptions {
  groupId: string;
  /** Static member id (KIP-345): a restart within the session time-out gets the same partitions without a rebalance. */
  groupInstanceId: string | undefined;
  topics: string[];
  rack: string | undefined;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  heartbeatIntervalMs: number;
  /**
   * Whether `close` gives the partitions to the others at once. Otherwise a static member stays on the coordinator's
   * list until its session ends, and finds its partitions when it is back by then.
   */
  leaveOnClose: boolean;
  /** Name of the assigner; all members of a group must use the same one. */
  assignerName: string;
  /** What this member holds now; asked at each join. */
  owned(): TopicPartition[];
  /** Runs on the leader only. Partitions that it gives to nobody are read by nobody. */
  assign(members: MemberSubscription[]): Promise<Map<string, TopicPartition[]>>;
  /** A new generation: commits go under `member` from now on. What is not in `partitions` belongs to others. */
  onAssigned(member: GroupMember, partitions: TopicPartition[]): void;
  /** The coordinator does not know this member any more; others may own its partitions already. */
  onLost(reason: string): void;
  logger: Logger;
  clock: Clock;
  random: Random;
}

export interface GroupMembership {
  /** The generation to commit under; undefined before the first join and after a loss. */
  readonly current: GroupMember | undefined;
  /**
   * Asks for a new assignment, for example because partitions were added or leaders moved. Let every member ask that sees
   * it: a coordinator begins a rebalance for the leader of the group, and tells anybody else what the assignment is.
   */
  rejoin(): void;
  /** Resolves after `close`; rejects when membership is impossible, for example with a second process of the same static id. */
  readonly done: Promise<void>;
  /** Twice is fine. */
  close(): Promise<void>;
}

const BACKOFF = { baseMs: 100, maxMs: 5_000 };
const FATAL: readonly number[] = [KafkaCode.FENCED_INSTANCE_ID, 23, 24, 26];

/** Thrown inside this file when the member must join again; `forget` when its member id is worth nothing any more. */
class MustRejoin extends Error {
  readonly forget: boolean;
  constructor(reason: string, forget: boolean) {
    super(reason);
    this.forget = forget;
  }
}

function check(doing: string, groupId: string, code: number): void {
  if (code === KafkaCode.NONE) return;
  const { name, message, retriable } = kafkaError(code);
  if (code === KafkaCode.REBALANCE_IN_PROGRESS) throw new MustRejoin(name, false);
  if (code === KafkaCode.UNKNOWN_MEMBER_ID || code === KafkaCode.ILLEGAL_GENERATION)
    throw new MustRejoin(name, true);
  const hint =
    code === KafkaCode.FENCED_INSTANCE_ID
      ? ' Give each worker its own member name, or stop the other process.'
      : '';
  throw new SkaldError('KAFKA_REFUSED', `${doing} in group ${groupId}: ${name}, ${message}.${hint}`, {
    retryable: retriable || !FATAL.includes(code),
    where: { group: groupId, kafkaCode: code },
  });
}

/** What an assignment depends on of each member: the leader says it back, so that a member sees an old one. */
function termsOf({ topics, rack }: Pick<Subscription, 'topics' | 'rack'>): string {
  const text = JSON.stringify([topics.toSorted(), rack]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

/** Joins and stays joined until `close`. Callbacks run on this loop, so they must be quick. */
export function joinGroup(coordinator: Coordinator, options: GroupOptions): GroupMembership {
  const { groupId, groupInstanceId, logger, clock, random } = options;
  const stop = new AbortController();
  /** Ends the sleep between two heartbeats. Of its own for each: a signal that lives long keeps all that was joined to it. */
  let wake = new AbortController();
  /** Set from outside the loop, which looks at it after each sleep. */
  const asked = { rejoin: false };
  let memberId = '';
  let current: GroupMember | undefined;

  const sendJoin = (): Promise<JoinAnswer> =>
    coordinator.send(
      'group',
      joinGroupRequest({
        groupId,
        memberId,
        groupInstanceId,
        sessionTimeoutMs: options.sessionTimeoutMs,
        rebalanceTimeoutMs: options.rebalanceTimeoutMs,
        protocolType: 'consumer',
        protocols: [
          {
            name: options.assignerName,
            metadata: encodeSubscription({
              topics: options.topics,
              owned: options.owned(),
              rack: options.rack,
              // Other bytes than those of the first join: what a coordinator has from a member already, it does not
              // deal out anew for.
              userData: memberId === '' ? undefined : memberId,
            }),
          },
        ],
      }),
      (answer) => answer.errorCode,
    );

  const join = async (): Promise<GroupMember> => {
    asked.rejoin = false;
    let { member, isLeader, assignment } = await joinAndSync();
    // A static member that is back gets what was dealt out for the one that it was, even when its topics or its rack are
    // others now. The coordinator takes notice when it joins once more.
    const terms = termsOf(options);
    if ((assignment.userData ?? terms) !== terms) ({ member, isLeader, assignment } = await joinAndSync());
    const { partitions } = assignment;
    current = member;
    logger.info(
      {
        group: groupId,
        generation: member.generationId,
        memberId,
        leader: isLeader,
        partitions: partitions.length,
      },
      'joined the group',
    );
    options.onAssigned(member, partitions);
    return member;
  };

  const joinAndSync = async () => {
    let joined = await sendJoin();
    if (joined.errorCode === KafkaCode.MEMBER_ID_REQUIRED) {
      memberId = joined.memberId; // KIP-394: a dynamic member asks for an id first
      joined = await sendJoin();
    }
    check('JoinGroup', groupId, joined.errorCode);
    memberId = joined.memberId;
    const member: GroupMember = { groupId, groupInstanceId, memberId, generationId: joined.generationId };

    let assignments: { memberId: string; assignment: Uint8Array }[] = [];
    const isLeader = joined.leader === memberId;
    if (isLeader && joined.members.length > 0) {
      const members = joined.members.map((m) => ({ ...m, ...decodeSubscription(m.metadata) }));
      const assigned = await options.assign(members);
      assignments = members.map((m) => ({
        memberId: m.memberId,
        assignment: encodeAssignment({
          partitions: assigned.get(m.memberId) ?? [],
          userData: termsOf(m),
        }),
      }));
    }
    const { rebalanceTimeoutMs } = options;
    const synced = await coordinator.send(
      'group',
      syncGroupRequest({ ...member, assignments, rebalanceTimeoutMs }),
      (answer) => answer.errorCode,
    );
    check('SyncGroup', groupId, synced.errorCode);
    return { member, isLeader, assignment: decodeAssignment(synced.assignment) };
  };

  const beatUntilRebalance = async (member: GroupMember): Promise<void> => {
    let lastAnswerMs = clock.monotonicMs();
    while (!stop.signal.aborted && !asked.rejoin) {
      wake = new AbortController();
      await clock.sleep(options.heartbeatIntervalMs, wake.signal);
      if (stop.signal.aborted || asked.rejoin) return;
      try {
        const beat = await coordinator.send('group', heartbeatRequest(member), (answer) => answer.errorCode);
        check('Heartbeat', groupId, beat.errorCode);
        lastAnswerMs = clock.monotonicMs();
      } catch (error) {
        if (!isSkaldError(error) || !error.retryable) throw error;
        if (clock.monotonicMs() - lastAnswerMs > options.sessionTimeoutMs) {
          throw new MustRejoin(`no heartbeat was answered for ${options.sessionTimeoutMs} ms`, true);
        }
        logger.debug({ group: groupId, err: error }, 'heartbeat failed, trying again');
      }
    }
  };

  const lose = (reason: string, outlook: string): void => {
    memberId = '';
    if (current === undefined) return;
    current = undefined;
    logger.warn({ group: groupId, reason }, `lost the membership of the group, ${outlook}`);
    options.onLost(reason);
  };

  const run = async (): Promise<void> => {
    let failures = 0;
    while (!stop.signal.aborted) {
      try {
        const member = await join();
        failures = 0;
        await beatUntilRebalance(member);
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error instanceof MustRejoin) {
          if (error.forget) lose(error.message, 'joining again');
          else failures = 0;
          if (error.forget) failures += 1;
        } else if (isSkaldError(error) && error.retryable) {
          failures += 1;
          logger.warn(
            { group: groupId, err: error, failures },
            `cannot join the group yet: ${messageOf(error)}`,
          );
        } else {
          lose(messageOf(error), 'for good');
          throw error;
        }
        if (failures > 0) await clock.sleep(backoffMs(failures - 1, BACKOFF, random), stop.signal);
      }
    }
  };

  const done = run();
  done.catch(() => {}); // the owner sees it through `done`; without an owner it must not end the process

  return {
    get current() {
      return current;
    },
    rejoin: () => {
      asked.rejoin = true;
      wake.abort();
    },
    done,
    close: async () => {
      if (stop.signal.aborted) return;
      stop.abort();
      wake.abort();
      current = undefined;
      if (memberId !== '' && options.leaveOnClose) {
        try {
          await leaveGroup(coordinator, { groupId, memberId, groupInstanceId });
        } catch (error) {
          logger.warn(
            { group: groupId, err: error },
            'could not leave the group: others get the partitions when the session ends',
          );
        }
      }
    },
  };
}
