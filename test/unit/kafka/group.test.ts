import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { SkaldError } from '../../../shared/errors.ts';
import { encodeAssignment, type TopicPartition } from '../../../shared/kafka/consumer-protocol.ts';
import type { Coordinator, GroupMember } from '../../../shared/kafka/coordinator.ts';
import { type GroupOptions, joinGroup, type MemberSubscription } from '../../../shared/kafka/group.ts';
import { type KafkaRequest, ProtocolReader, ProtocolWriter } from '../../../shared/kafka/protocol.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import { simClock } from '../../simulation/support/sim-clock.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const SESSION_MS = 10_000;
const HEARTBEAT_MS = 3_000;
const UNKNOWN_MEMBER_ID = 25;
const INVALID_SESSION_TIMEOUT = 26;
const REBALANCE_IN_PROGRESS = 27;
const MEMBER_ID_REQUIRED = 79;
const FENCED_INSTANCE_ID = 82;

type Answer = { errorCode: number; assignment?: Uint8Array } | 'lost';

/** A coordinator that a test tells what to answer; without being told it lets the member in, as its leader. */
function setUp(options: Partial<GroupOptions> = {}, joins: Answer[] = []) {
  const clock = simClock(0);
  const seen = {
    requests: [] as string[],
    memberIds: [] as string[],
    said: [] as string[],
    assigned: [] as GroupMember[],
    dealt: [] as TopicPartition[][],
    lost: [] as string[],
    assignedTo: [] as MemberSubscription[][],
  };
  const script: Record<string, Answer[]> = { JoinGroup: joins, SyncGroup: [], Heartbeat: [], LeaveGroup: [] };
  let generation = 0;

  const reply = (request: KafkaRequest<unknown>, told: Exclude<Answer, 'lost'>): ProtocolWriter => {
    const { errorCode } = told;
    const written = new ProtocolWriter();
    request.encode(written);
    const reader = new ProtocolReader(written.finish());
    const answer = new ProtocolWriter().int32(0).int16(errorCode);
    if (request.apiName === 'JoinGroup') {
      reader.string();
      reader.int32();
      reader.int32();
      const memberId = reader.string();
      seen.memberIds.push(memberId);
      const instance = reader.nullableString();
      reader.string();
      const [metadata] = reader
        .array(() => [reader.string(), reader.bytes()] as const)
        .map(([, bytes]) => bytes);
      seen.said.push(metadata!.toString('hex'));
      const given = memberId === '' ? `member-${seen.memberIds.length}` : memberId;
      if (errorCode === 0) generation += 1;
      answer.int32(generation).string('rack-aware').string(given).string(given);
      const members = errorCode === 0 ? [given] : [];
      return answer.array(members, (id) => answer.string(id).nullableString(instance).bytes(metadata!));
    }
    if (request.apiName === 'SyncGroup') {
      reader.string();
      reader.int32();
      reader.string();
      reader.nullableString();
      const [assignment] = reader
        .array(() => [reader.string(), reader.bytes()] as const)
        .map(([, bytes]) => bytes);
      return answer.bytes(told.assignment ?? assignment ?? new Uint8Array(0));
    }
    return request.apiName === 'LeaveGroup' ? answer.array([], () => answer) : answer;
  };

  const coordinator: Coordinator = {
    send: async (_lane, request) => {
      seen.requests.push(request.apiName);
      const told = script[request.apiName]!.shift() ?? { errorCode: 0 };
      await clock.after(5);
      if (told === 'lost') throw new SkaldError('KAFKA_TIMEOUT', 'no answer');
      return request.decode(new ProtocolReader(reply(request, told).finish()));
    },
    commitOffsets: () => Promise.reject(new Error('not asked for')),
    fetchOffsets: () => Promise.reject(new Error('not asked for')),
  };
  const group = joinGroup(coordinator, {
    groupId: 'g',
    groupInstanceId: undefined,
    topics: ['logs'],
    rack: 'rack-a',
    sessionTimeoutMs: SESSION_MS,
    rebalanceTimeoutMs: 60_000,
    heartbeatIntervalMs: HEARTBEAT_MS,
    leaveOnClose: true,
    assignerName: 'rack-aware',
    owned: () => [{ topic: 'logs', partition: 7 }],
    assign: (members) => {
      seen.assignedTo.push(members);
      return Promise.resolve(new Map(members.map((m) => [m.memberId, [{ topic: 'logs', partition: 3 }]])));
    },
    onAssigned: (member, partitions) => {
      seen.assigned.push(member);
      seen.dealt.push(partitions);
    },
    onLost: (reason) => seen.lost.push(reason),
    logger: silentLogger,
    clock,
    random: () => 0.5,
    ...options,
  });
  return { clock, group, script, seen };
}

describe('joining', () => {
  test('asks for a member id first (KIP-394), then joins, and the leader assigns', async () => {
    const { clock, group, seen } = setUp({}, [{ errorCode: MEMBER_ID_REQUIRED }]);
    await clock.advance(100);
    expect(seen.requests).toEqual(['JoinGroup', 'JoinGroup', 'SyncGroup']);
    expect(seen.memberIds).toEqual(['', 'member-1']);
    expect(group.current).toMatchObject({ groupId: 'g', memberId: 'member-1', generationId: 1 });
    expect(seen.assignedTo[0]).toMatchObject([
      { memberId: 'member-1', topics: ['logs'], owned: [{ topic: 'logs', partition: 7 }], rack: 'rack-a' },
    ]);
  });

  test('that is refused for good ends it: a second process of the same static member', async () => {
    const { clock, group } = setUp({ groupInstanceId: 'static-1' }, [{ errorCode: FENCED_INSTANCE_ID }]);
    await clock.advance(100);
    await expect(group.done).rejects.toMatchObject({ code: 'KAFKA_REFUSED', retryable: false });
    expect(group.current).toBeUndefined();
  });

  test('with a session time-out that the broker does not allow ends it, and says so', async () => {
    const { clock, group } = setUp({}, [{ errorCode: INVALID_SESSION_TIMEOUT }]);
    await clock.advance(100);
    await expect(group.done).rejects.toMatchObject({
      message: expect.stringContaining('INVALID_SESSION_TIMEOUT'),
    });
  });

  test('as a static member that is back with other topics: not by what was dealt out for the one that it was', async () => {
    const { clock, group, script, seen } = setUp({ groupInstanceId: 'static-1' });
    const ofBefore = { partitions: [{ topic: 'removed', partition: 9 }], userData: 'other terms' };
    script['SyncGroup']!.push({ errorCode: 0, assignment: encodeAssignment(ofBefore) });
    await clock.advance(100);
    expect(seen.requests).toEqual(['JoinGroup', 'SyncGroup', 'JoinGroup', 'SyncGroup']);
    expect(seen.memberIds).toEqual(['', 'member-1']);
    // A coordinator deals out anew for a member of the group that says something else than before (KIP-345).
    expect(seen.said[1]).not.toBe(seen.said[0]);
    expect(seen.dealt).toEqual([[{ topic: 'logs', partition: 3 }]]);
    expect(group.current).toMatchObject({ generationId: 2 });
  });

  test('under a leader that does not say what it has dealt out for: as it says', async () => {
    const { clock, script, seen } = setUp({ groupInstanceId: 'static-1' });
    const assignment = encodeAssignment({ partitions: [{ topic: 'logs', partition: 4 }] });
    script['SyncGroup']!.push({ errorCode: 0, assignment });
    await clock.advance(100);
    expect(seen.dealt).toEqual([[{ topic: 'logs', partition: 4 }]]);
  });

  test('goes on for as long as no coordinator answers', async () => {
    const lost = Array.from({ length: 30 }, (): Answer => 'lost');
    const { clock, group, seen } = setUp({}, lost);
    await clock.advance(10 * 60_000);
    expect(group.current).toMatchObject({ generationId: 1 });
    expect(seen.lost).toEqual([]);
  });
});

describe('membership', () => {
  test('lives on heartbeats', async () => {
    const { clock, seen } = setUp();
    await clock.advance(10 * HEARTBEAT_MS + 1_000);
    const beats = seen.requests.filter((name) => name === 'Heartbeat');
    expect(beats.length).toBeGreaterThanOrEqual(9);
    expect(beats.length).toBeLessThanOrEqual(11);
  });

  test('joins again in a rebalance, as the same member, which is no loss', async () => {
    const { clock, group, script, seen } = setUp();
    await clock.advance(100);
    script['Heartbeat']!.push({ errorCode: REBALANCE_IN_PROGRESS });
    await clock.advance(HEARTBEAT_MS + 100);
    expect(group.current).toMatchObject({ memberId: 'member-1', generationId: 2 });
    expect(seen.lost).toEqual([]);
    expect(seen.assigned.map((member) => member.generationId)).toEqual([1, 2]);
  });

  test('is lost when the coordinator does not know the member: said, and joined anew without the old id', async () => {
    const { clock, script, seen } = setUp();
    await clock.advance(100);
    script['Heartbeat']!.push({ errorCode: UNKNOWN_MEMBER_ID });
    await clock.advance(HEARTBEAT_MS + 10_000);
    expect(seen.lost).toEqual(['UNKNOWN_MEMBER_ID']);
    expect(seen.memberIds).toEqual(['', '']);
    expect(seen.assigned).toHaveLength(2);
  });

  test('outlives heartbeats that get no answer for less than the session, and is lost after it', async () => {
    const { clock, group, script, seen } = setUp();
    await clock.advance(100);
    script['Heartbeat']!.push('lost', 'lost');
    await clock.advance(3 * HEARTBEAT_MS);
    expect(seen.lost).toEqual([]);
    script['Heartbeat']!.push('lost', 'lost', 'lost', 'lost', 'lost');
    await clock.advance(6 * HEARTBEAT_MS);
    expect(seen.lost).toHaveLength(1);
    expect(group.current).toBeDefined(); // it has joined anew by now
  });

  test('is renewed at once when its owner asks', async () => {
    const { clock, group, seen } = setUp();
    await clock.advance(100);
    group.rejoin();
    await clock.advance(50);
    expect(seen.assigned.map((member) => member.generationId)).toEqual([1, 2]);
  });

  test('for a day leaves nothing behind in memory', async () => {
    const { clock } = setUp();
    const heapAfter = async (hours: number): Promise<number> => {
      for (let hour = 0; hour < hours; hour += 1) await clock.advance(3_600_000);
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = await heapAfter(1);
    const beats = 24 * 1_200;
    expect(((await heapAfter(24)) - before) / beats).toBeLessThan(40);
  });
});

describe('leaving', () => {
  test.each([undefined, 'static-1'])('a member says so (static id %s)', async (groupInstanceId) => {
    const { clock, group, seen } = setUp({ groupInstanceId });
    await clock.advance(100);
    const closing = group.close();
    await clock.advance(100);
    await closing;
    await group.close();
    await expect(group.done).resolves.toBeUndefined();
    expect(seen.requests.filter((name) => name === 'LeaveGroup')).toHaveLength(1);
    expect(group.current).toBeUndefined();
  });

  test('a static member does not: it keeps its partitions for its return (KIP-345)', async () => {
    const { clock, group, seen } = setUp({ groupInstanceId: 'static-1', leaveOnClose: false });
    await clock.advance(100);
    await group.close();
    await clock.advance(60_000);
    expect(seen.requests).not.toContain('LeaveGroup');
    expect(seen.requests.filter((name) => name === 'Heartbeat')).toEqual([]);
  });

  test('works without an answer', async () => {
    const { clock, group, script } = setUp();
    await clock.advance(100);
    script['LeaveGroup']!.push('lost');
    const closing = group.close();
    await clock.advance(100);
    await expect(closing).resolves.toBeUndefined();
  });
});
