import { describe, expect, it } from 'vitest';
import type { ClusterView } from '../../../../shared/kafka/cluster.ts';
import { chooseSource } from '../../../../transporter/fetch/replica.ts';

const target = { topic: 'logs', partition: 0 };

function view(
  overrides: { leader?: number; inSyncReplicas?: number[]; brokers?: number[] } = {},
): ClusterView {
  const { leader = 1, inSyncReplicas = [1, 2], brokers = [1, 2] } = overrides;
  const info = {
    leader,
    leaderEpoch: 4,
    replicas: [1, 2],
    inSyncReplicas,
    offlineReplicas: [],
    errorCode: 0,
  };
  return {
    clusterId: 'c',
    controllerId: 1,
    brokers: new Map(brokers.map((nodeId) => [nodeId, { nodeId, host: 'h', port: 1, rack: undefined }])),
    topics: new Map([['logs', { topic: 'logs', errorCode: 0, partitions: [{ ...target, ...info }] }]]),
  };
}

const preferred = { nodeId: 2, untilMs: 1000 };

describe('chooseSource', () => {
  it('asks the leader when it named nobody', () => {
    expect(chooseSource(view(), target, undefined, 0)).toEqual({ nodeId: 1, isLeader: true, leaderEpoch: 4 });
  });

  it('asks the follower that the leader named', () => {
    expect(chooseSource(view(), target, preferred, 999)).toEqual({
      nodeId: 2,
      isLeader: false,
      leaderEpoch: 4,
    });
  });

  it.each([
    ['when its time is over', view(), 1000],
    ['when it is not in sync any more', view({ inSyncReplicas: [1] }), 0],
    ['when its broker is gone', view({ brokers: [1] }), 0],
  ])('asks the leader again %s', (_, now, atMs) => {
    expect(chooseSource(now, target, preferred, atMs)?.nodeId).toBe(1);
  });

  it.each([
    ['no metadata', undefined, target],
    ['no leader', view({ leader: -1 }), target],
    ['a leader whose broker is unknown', view({ brokers: [2] }), target],
    ['no such topic', view(), { ...target, topic: 'other' }],
    ['no such partition', view(), { ...target, partition: 1 }],
  ])('finds nobody to ask with %s', (_, now, wanted) => {
    expect(chooseSource(now, wanted, undefined, 0)).toBeUndefined();
  });
});
