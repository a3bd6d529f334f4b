import { randomUUID } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../shared/clock.ts';
import type { TopicPartition } from '../../../shared/kafka/consumer-protocol.ts';
import { type Coordinator, coordinatorOf, type GroupMember } from '../../../shared/kafka/coordinator.ts';
import { KafkaCode } from '../../../shared/kafka/error-codes.ts';
import { type GroupMembership, joinGroup, type MemberSubscription } from '../../../shared/kafka/group.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { client } from './client.ts';

const SESSION_MS = 6_000; // the broker's least, group.min.session.timeout.ms
/** Longer than any test waits: what happens does not happen because a session has ended. */
const LONG_SESSION_MS = 300_000;
const PARTITIONS = 4;

interface Worker {
  group: GroupMembership;
  coordinator: Coordinator;
  /** Assignments so far, oldest first. */
  assigned: { member: GroupMember; partitions: number[] }[];
  lost: string[];
  /** What SIGKILL does: no word to anybody. */
  vanish(): Promise<void>;
}

/** Members in the order of their ids get the partitions in turn. */
function inTurn(topic: string) {
  return (members: MemberSubscription[]): Promise<Map<string, TopicPartition[]>> => {
    const ids = members.map((m) => m.groupInstanceId ?? m.memberId).toSorted();
    const result = new Map<string, TopicPartition[]>(members.map((m) => [m.memberId, []]));
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const id = ids[partition % ids.length];
      const member = members.find((m) => (m.groupInstanceId ?? m.memberId) === id)!;
      result.get(member.memberId)!.push({ topic, partition });
    }
    return Promise.resolve(result);
  };
}

function join(
  groupId: string,
  topic: string,
  groupInstanceId?: string,
  sessionTimeoutMs = SESSION_MS,
): Worker {
  const cluster = client();
  const coordinator = coordinatorOf(cluster, groupId);
  const assigned: Worker['assigned'] = [];
  const lost: string[] = [];
  const group = joinGroup(coordinator, {
    groupId,
    groupInstanceId,
    topics: [topic],
    rack: 'rack-a',
    sessionTimeoutMs,
    rebalanceTimeoutMs: 10_000,
    heartbeatIntervalMs: 200,
    leaveOnClose: groupInstanceId === undefined,
    assignerName: 'in-turn',
    owned: () => [],
    assign: inTurn(topic),
    onAssigned: (member, partitions) =>
      assigned.push({ member, partitions: partitions.map((p) => p.partition).toSorted((a, b) => a - b) }),
    onLost: (reason) => lost.push(reason),
    logger: silentLogger,
    clock: systemClock,
    random: Math.random,
  });
  onTestFinished(() => group.close());
  return { group, coordinator, assigned, lost, vanish: () => cluster.close() };
}

const holds = (worker: Worker): number[] => worker.assigned.at(-1)?.partitions ?? [];

function settled(what: string, condition: () => boolean): Promise<unknown> {
  return waitFor(condition, { timeoutMs: 30_000, intervalMs: 20, what });
}

/** All partitions are with these workers, each with one of them. */
function shared(...workers: Worker[]): boolean {
  const all = workers.flatMap(holds).toSorted((a, b) => a - b);
  return all.join() === '0,1,2,3' && workers.every((worker) => holds(worker).length > 0);
}

describe('a group', () => {
  test('two join and share, one leaves and the other has all at once, and Kafka can describe it', async () => {
    const topic = await freshTopic({ partitions: PARTITIONS });
    const groupId = uniqueName('group');
    const first = join(groupId, topic, undefined, LONG_SESSION_MS);
    await settled('the first has all', () => shared(first));
    const second = join(groupId, topic, undefined, LONG_SESSION_MS);
    await settled('both share', () => shared(first, second));
    expect(first.assigned.at(-1)!.member.generationId).toBe(second.assigned.at(-1)!.member.generationId);

    const { stdout } = await kafkaTool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', [
      `--bootstrap-server=${sharedStack().bootstrap[0]!}`,
      `--group=${groupId}`,
      '--describe',
      '--members',
      '--verbose',
    ]);
    const ids = [first, second].map((worker) => worker.group.current!.memberId);
    expect(ids.filter((id) => stdout.includes(id))).toEqual(ids);
    // Its own view of who reads what: one member has the even partitions, the other one the odd ones.
    expect([`${topic}:0,2`, `${topic}:1,3`].filter((text) => !stdout.includes(text))).toEqual([]);

    await second.group.close();
    await settled('the first has all again, long before a session ends', () => shared(first));
    expect(first.lost).toEqual([]);
  });

  test('one is killed: its partitions are the other one’s after the session time-out', async () => {
    const topic = await freshTopic({ partitions: PARTITIONS });
    const groupId = uniqueName('group');
    const first = join(groupId, topic);
    const second = join(groupId, topic);
    await settled('both share', () => shared(first, second));
    const generations = first.assigned.length;
    await second.vanish();
    await settled('the first has all', () => shared(first));
    expect(first.assigned.length).toBeGreaterThan(generations);
    expect(first.lost).toEqual([]);
  });

  test('a static member is killed and back within its session: the same partitions, and nobody else notices (KIP-345)', async () => {
    const topic = await freshTopic({ partitions: PARTITIONS });
    const groupId = uniqueName('group');
    const stays = join(groupId, topic, 'static-1');
    await settled('the first has all', () => shared(stays));
    const first = join(groupId, topic, 'static-2');
    await settled('both share', () => shared(stays, first));
    const generations = stays.assigned.length;
    await first.vanish();
    const again = join(groupId, topic, 'static-2');
    await settled('it is back', () => again.assigned.length > 0);
    expect(holds(again)).toEqual(holds(first));
    expect(stays.assigned.length).toBe(generations);
    expect(again.assigned[0]!.member.generationId).toBe(stays.assigned.at(-1)!.member.generationId);
  });

  test('a second process of the same static member fences the first, which says so', async () => {
    const topic = await freshTopic({ partitions: PARTITIONS });
    const groupId = uniqueName('group');
    const first = join(groupId, topic, 'static-1');
    await settled('the first has all', () => shared(first));
    const second = join(groupId, topic, 'static-1');
    await settled('the second has all', () => shared(second));
    await expect(first.group.done).rejects.toMatchObject({
      code: 'KAFKA_REFUSED',
      message: expect.stringContaining('FENCED_INSTANCE_ID'),
    });
    expect(first.group.current).toBeUndefined();
  });

  test('all are asked for a new assignment: the coordinator heeds the leader, and everybody joins again', async () => {
    const topic = await freshTopic({ partitions: PARTITIONS });
    const groupId = uniqueName('group');
    const [first, second] = [join(groupId, topic), join(groupId, topic)];
    await settled('both share', () => shared(first, second));
    const before = first.assigned.at(-1)!.member.generationId;
    for (const worker of [first, second]) worker.group.rejoin();
    await settled('a new generation', () =>
      [first, second].every((worker) => worker.assigned.at(-1)!.member.generationId > before),
    );
    expect(shared(first, second)).toBe(true);
  });
});

describe('offsets', () => {
  test('come back with their metadata, up to what the broker keeps; -1 where nothing was committed', async () => {
    const topic = await freshTopic({ partitions: PARTITIONS });
    const worker = join(uniqueName('group'), topic);
    await settled('it has all', () => shared(worker));
    const metadata = `{"end":120,"ü":"${'x'.repeat(4_000)}"}`;
    const member = worker.group.current!;
    expect(
      await worker.coordinator.commitOffsets(member, [
        { topic, partition: 1, offset: 99, metadata },
        { topic, partition: 2, offset: 0, metadata: '' },
      ]),
    ).toEqual([
      { topic, partition: 1, errorCode: 0 },
      { topic, partition: 2, errorCode: 0 },
    ]);
    const partitions = [1, 2, 3].map((partition) => ({ topic, partition }));
    expect(await worker.coordinator.fetchOffsets(partitions)).toEqual([
      { topic, partition: 1, offset: 99, metadata, errorCode: 0 },
      { topic, partition: 2, offset: 0, metadata: '', errorCode: 0 },
      { topic, partition: 3, offset: -1, metadata: '', errorCode: 0 },
    ]);
    // offset.metadata.max.bytes is 4,096 by default.
    const tooLong = { topic, partition: 3, offset: 1, metadata: 'x'.repeat(4_097) };
    expect(await worker.coordinator.commitOffsets(member, [tooLong])).toEqual([
      { topic, partition: 3, errorCode: 12 },
    ]);
  });

  test('of an older generation, and of a member that is not there any more, are refused', async () => {
    const topic = await freshTopic({ partitions: PARTITIONS });
    const groupId = uniqueName('group');
    const first = join(groupId, topic);
    await settled('the first has all', () => shared(first));
    const old = first.group.current!;
    const second = join(groupId, topic);
    await settled('both share', () => shared(first, second));
    const commit = async (member: GroupMember): Promise<number> => {
      const offset = { topic, partition: 0, offset: 5, metadata: '' };
      return (await first.coordinator.commitOffsets(member, [offset]))[0]!.errorCode;
    };
    expect(await commit(old)).toBe(KafkaCode.ILLEGAL_GENERATION);
    expect(await commit({ ...old, memberId: `nobody-${randomUUID()}` })).toBe(KafkaCode.UNKNOWN_MEMBER_ID);
    expect(await first.coordinator.fetchOffsets([{ topic, partition: 0 }])).toMatchObject([{ offset: -1 }]);
    expect(await commit(first.group.current!)).toBe(0);
  });
});
