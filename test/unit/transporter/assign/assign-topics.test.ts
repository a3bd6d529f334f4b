import { describe, expect, it } from 'vitest';
import type { MemberSubscription } from '../../../../shared/kafka/group.ts';
import { assignTopics } from '../../../../transporter/assign/assign-topics.ts';

const brokers = new Map(
  [1, 2, 3].map((nodeId) => [
    nodeId,
    { nodeId, host: 'h', port: 9092, rack: nodeId === 3 ? undefined : `rack-${nodeId}` },
  ]),
);

function topic(name: string, leaders: number[]) {
  const partitions = leaders.map((leader, partition) => ({
    topic: name,
    partition,
    leader,
    leaderEpoch: 0,
    replicas: [1, 2, 3],
    inSyncReplicas: [1, 2, 3],
    offlineReplicas: [],
    errorCode: 0,
  }));
  return [name, { topic: name, errorCode: 0, partitions }] as const;
}

function member(memberId: string, topics: string[], rack?: string): MemberSubscription {
  return { memberId, groupInstanceId: undefined, topics, owned: [], rack };
}

describe('assignTopics', () => {
  it('brings partitions to the rack of their leader', () => {
    const view = { brokers, topics: new Map([topic('logs', [1, 2, 1, 2])]) };
    const members = [member('a', ['logs'], 'rack-1'), member('b', ['logs'], 'rack-2')];
    const assigned = assignTopics(members, view);
    expect(assigned.get('a')?.map(({ partition }) => partition)).toEqual([0, 2]);
    expect(assigned.get('b')?.map(({ partition }) => partition)).toEqual([1, 3]);
  });

  it('deals out partitions without a leader or without a rack all the same', () => {
    const view = { brokers, topics: new Map([topic('logs', [-1, 3])]) };
    const assigned = assignTopics([member('a', ['logs'], 'rack-1'), member('b', ['logs'])], view);
    expect([...assigned.values()].map((list) => list.length)).toEqual([1, 1]);
  });

  it('gives a topic only to those who subscribe to it, while a fleet takes over a new configuration', () => {
    const view = { brokers, topics: new Map([topic('old', [1, 1]), topic('new', [1, 1])]) };
    const assigned = assignTopics([member('before', ['old']), member('after', ['old', 'new'])], view);
    expect(assigned.get('before')).toEqual([expect.objectContaining({ topic: 'old' })]);
    expect(assigned.get('after')?.map((found) => found.topic)).toEqual(['new', 'new', 'old']);
  });

  it('leaves out a topic that does not exist, and gives everyone an answer', () => {
    expect(assignTopics([member('a', ['missing'])], { brokers, topics: new Map() })).toEqual(
      new Map([['a', []]]),
    );
  });
});
