import type { TopicView } from '../../../../agent/publish/topic-view.ts';

export const RACKS = ['rack-a', 'rack-b', 'rack-c'] as const;

/**
 * A topic whose partition i is led by `leaders[i]` (-1: by nobody), on three brokers 1 to 3 in rack-a to rack-c.
 * `down` brokers are not in the metadata.
 */
export function someView(leaders: readonly number[], down: readonly number[] = []): TopicView {
  const brokers = new Map(
    RACKS.map((rack, i) => [i + 1, { nodeId: i + 1, host: `b${i + 1}`, port: 9092, rack }]),
  );
  for (const id of down) brokers.delete(id);
  return {
    topic: 'logs',
    clusterId: 'c',
    brokers,
    partitions: leaders.map((leader, partition) => ({
      topic: 'logs',
      partition,
      leader,
      leaderEpoch: 0,
      replicas: [1, 2, 3],
      inSyncReplicas: [1, 2, 3],
      offlineReplicas: [],
      errorCode: 0,
    })),
  };
}
