/**
 * A group coordinator in memory: generations, sessions, static members (KIP-345), and commits that are fenced by them.
 * Source: GroupCoordinator of Apache Kafka: a rebalance waits for every member that it knows, so a frozen or a
 * dead one holds it up until its session ends; a static member that is back takes the place of its former self, and
 * nobody else notices.
 */
import { z } from 'zod';
import type { Random } from '../../../shared/clock.ts';
import type { TopicPartition } from '../../../shared/kafka/consumer-protocol.ts';
import type { GroupMember } from '../../../shared/kafka/coordinator.ts';
import { KafkaCode } from '../../../shared/kafka/error-codes.ts';
import type { GroupMembership, GroupOptions } from '../../../shared/kafka/group.ts';
import type {
  CommittedOffset,
  OffsetToCommit,
  PartitionError,
} from '../../../shared/kafka/requests/offsets.ts';
import { decodeProgress } from '../../../transporter/complete/progress.ts';
import { partitionKey } from '../../../transporter/topic-partition.ts';
import { between } from '../support/random.ts';
import type { SimClock } from '../support/sim-clock.ts';
import type { WorkerLife } from './worker-life.ts';

interface Member {
  memberId: string;
  life: WorkerLife;
  options: GroupOptions;
  current: GroupMember | undefined;
  /** What it was given in this generation. */
  assigned: TopicPartition[];
  isClosed: boolean;
  /** Virtual time since when nothing is heard of it; undefined while it beats. */
  silentSinceMs: number | undefined;
}

export interface SimGroup {
  join(life: WorkerLife, options: GroupOptions): GroupMembership;
  commit(member: GroupMember, offsets: readonly OffsetToCommit[]): PartitionError[];
  fetch(partitions: readonly TopicPartition[]): CommittedOffset[];
  /** As Kafka does when a topic is deleted. */
  forgetOffsets(): void;
  /** Commits that no correct worker makes. */
  readonly violations: string[];
  /** Commits that another cut than the promised one was made with. */
  readonly brokenPromises: string[];
  /** Commits that were fenced. */
  readonly fenced: number;
  /** Members that came back within their session. */
  readonly returns: number;
}

const LOOK_EVERY_MS = 100;
const MAX_METADATA_BYTES = 4096;

export function simGroup({ clock, random }: { clock: SimClock; random: Random }): SimGroup {
  const members = new Map<string, Member>();
  const offsets = new Map<string, OffsetToCommit>();
  const violations: string[] = [];
  let generation = 0;
  let state: 'stable' | 'preparing' | 'completing' = 'stable';
  let nextMember = 1;
  let fenced = 0;
  let returns = 0;
  const brokenPromises: string[] = [];

  const isSilent = ({ life, isClosed }: Member): boolean =>
    life.isDead || isClosed || life.frozenSinceMs !== undefined;

  const isGone = (member: Member): boolean => {
    if (!isSilent(member)) member.silentSinceMs = undefined;
    else member.silentSinceMs ??= member.life.frozenSinceMs ?? clock.monotonicMs();
    const { silentSinceMs, options } = member;
    return silentSinceMs !== undefined && clock.monotonicMs() - silentSinceMs > options.sessionTimeoutMs;
  };

  const watch = async (): Promise<void> => {
    for (;;) {
      await clock.after(LOOK_EVERY_MS);
      const gone = [...members.values()].filter(isGone);
      for (const member of gone) members.delete(member.memberId);
      if (gone.length > 0) state = 'preparing';
      const isWaiting = [...members.values()].some(isSilent);
      if (state === 'preparing' && !isWaiting && members.size > 0) await complete();
    }
  };

  const complete = async (): Promise<void> => {
    generation += 1;
    state = 'completing';
    const mine = generation;
    const joined = [...members.values()];
    const leader = joined[0]!;
    const subscriptions = joined.map(({ memberId, options: joining }) => {
      const { topics, rack } = joining;
      const { groupInstanceId } = joining;
      return { memberId, groupInstanceId, topics: [...topics], rack, owned: joining.owned() };
    });
    const patience = clock.after(10_000).then(() => undefined);
    const assigned = await Promise.race([
      leader.life.through(leader.options.assign(subscriptions)).catch(() => undefined),
      patience,
    ]);
    if (assigned === undefined || members.size !== joined.length) {
      state = 'preparing';
      return;
    }
    state = 'stable';
    for (const member of joined) {
      member.assigned = assigned.get(member.memberId) ?? [];
      void deliver(member, mine);
    }
  };

  const deliver = async (member: Member, forGeneration: number): Promise<void> => {
    await member.life.through(clock.after(between(random, 1, 500)));
    if (member.isClosed || forGeneration !== generation || !members.has(member.memberId)) return;
    const { memberId, options } = member;
    member.current = { groupId: 'sim', groupInstanceId: undefined, memberId, generationId: forGeneration };
    options.onAssigned(member.current, member.assigned);
  };

  /** What the heartbeats of a real member would tell it: it was expelled, and joins again as a new one. */
  const heartbeat = async (member: Member): Promise<void> => {
    while (!member.isClosed) {
      await member.life.through(clock.after(between(random, 100, 2000)));
      if (members.has(member.memberId) || member.isClosed) continue;
      if (member.current !== undefined) {
        member.current = undefined;
        member.options.onLost('expelled');
      }
      enter(member);
    }
  };

  const enter = (member: Member): void => {
    member.memberId = `member-${nextMember}`;
    nextMember += 1;
    const { groupInstanceId } = member.options;
    const former = [...members.values()].find(
      ({ options }) => groupInstanceId !== undefined && options.groupInstanceId === groupInstanceId,
    );
    members.set(member.memberId, member);
    if (former !== undefined) members.delete(former.memberId);
    if (former === undefined || state !== 'stable') {
      state = 'preparing';
      return;
    }
    returns += 1;
    member.assigned = former.assigned;
    void deliver(member, generation);
  };

  void watch();

  return {
    violations,
    brokenPromises,
    get returns() {
      return returns;
    },
    get fenced() {
      return fenced;
    },
    join: (life, options) => {
      const member: Member = {
        memberId: '',
        life,
        options,
        current: undefined,
        assigned: [],
        isClosed: false,
        silentSinceMs: undefined,
      };
      void life.through(clock.after(between(random, 1, 100))).then(() => {
        enter(member);
        return heartbeat(member);
      });
      return {
        get current() {
          return member.current;
        },
        rejoin: () => {
          state = 'preparing';
        },
        done: new Promise(() => {}),
        close: () => {
          member.isClosed = true;
          if (options.leaveOnClose && members.delete(member.memberId)) state = 'preparing';
          return Promise.resolve();
        },
      };
    },
    commit: (sender, wanted) => {
      const errorCode = !members.has(sender.memberId)
        ? KafkaCode.UNKNOWN_MEMBER_ID
        : sender.generationId !== generation
          ? KafkaCode.ILLEGAL_GENERATION
          : state === 'completing'
            ? KafkaCode.REBALANCE_IN_PROGRESS
            : KafkaCode.NONE;
      if (errorCode !== KafkaCode.NONE) fenced += 1;
      for (const offset of errorCode === KafkaCode.NONE ? wanted : []) {
        const key = partitionKey(offset);
        const known = offsets.get(key);
        const isSameLog = decodeProgress(known?.metadata ?? '').log === decodeProgress(offset.metadata).log;
        const before = isSameLog ? (known?.offset ?? -1) : -1;
        if (offset.offset < before) violations.push(`${key} goes back from ${before} to ${offset.offset}`);
        const promised = promisedEnd(offsets.get(key));
        const kept = offset.offset === before ? promisedEnd(offset) : offset.offset;
        if (promised !== undefined && kept !== promised) {
          brokenPromises.push(
            `${key}: ${before} to ${promised} was promised, and ${kept} is what is committed`,
          );
        }
        if (Buffer.byteLength(offset.metadata) > MAX_METADATA_BYTES)
          violations.push(`${key} has too much metadata`);
        offsets.set(key, offset);
      }
      return wanted.map(({ topic, partition }) => ({ topic, partition, errorCode }));
    },
    forgetOffsets: () => offsets.clear(),
    fetch: (partitions) =>
      partitions.map(({ topic, partition }) => {
        const found = offsets.get(partitionKey({ topic, partition }));
        return {
          topic,
          partition,
          offset: found?.offset ?? -1,
          metadata: found?.metadata ?? '',
          errorCode: 0,
        };
      }),
  };
}

/** Where the chunk ends that an intent announces; undefined where there is none. */
function promisedEnd(committed: OffsetToCommit | undefined): number | undefined {
  if (committed?.metadata.includes('"skald":') !== true) return undefined;
  return z.object({ end: z.number() }).parse(JSON.parse(committed.metadata)).end;
}
