import { describe, expect, it } from 'vitest';
import type { ClusterView } from '../../../shared/kafka/cluster.ts';
import { createTopicsSeen, SETTLE_MS } from '../../../transporter/topics-seen.ts';

/** What a broker answers about the one topic; with no partitions it does not exist. */
function view(topicId: string | undefined, partitions: number): ClusterView {
  const info = (partition: number) => ({
    topic: 'logs',
    partition,
    leader: 1,
    leaderEpoch: 0,
    replicas: [1],
    inSyncReplicas: [1],
    offlineReplicas: [],
    errorCode: 0,
  });
  const found = Array.from({ length: partitions }, (_, partition) => info(partition));
  const errorCode = partitions === 0 ? 3 : 0;
  const topics = new Map([['logs', { topic: 'logs', topicId, errorCode, partitions: found }]]);
  return { clusterId: 'c', controllerId: 1, brokers: new Map(), topics };
}

const isNew = (seen: ReturnType<typeof createTopicsSeen>, partition: number): boolean =>
  seen.isNew({ topic: 'logs', partition });

describe('createTopicsSeen', () => {
  it('knows which partitions were added since it began', () => {
    const seen = createTopicsSeen();
    expect(seen.look(view('a', 2), 0)).toEqual([]);
    expect(seen.look(view('a', 4), 1)).toEqual([]);
    expect([0, 1, 2, 3].map((partition) => isNew(seen, partition))).toEqual([false, false, true, true]);
  });

  it('takes all of a topic for new that did not exist when it began', () => {
    const seen = createTopicsSeen();
    expect(seen.look(view(undefined, 0), 0)).toEqual([]);
    expect(seen.find('logs')).toBeUndefined();
    expect(seen.look(view('a', 1), 1)).toEqual([]);
    expect([seen.find('logs'), isNew(seen, 0)]).toEqual([{ topicId: 'a' }, true]);
  });

  it('says that a topic was deleted once, and that it was made anew when the brokers agree on it', () => {
    const seen = createTopicsSeen();
    seen.look(view('a', 1), 0);
    expect(seen.look(view(undefined, 0), 1)).toEqual([{ topic: 'logs', kind: 'deleted' }]);
    expect(seen.look(view(undefined, 0), 2)).toEqual([]);
    expect(seen.look(view('b', 1), 10)).toEqual([]);
    expect([seen.isUnsettled, seen.find('logs')]).toEqual([true, undefined]);
    expect(seen.look(view('b', 1), 10 + SETTLE_MS)).toEqual([{ topic: 'logs', kind: 'made-anew' }]);
    expect([seen.isUnsettled, seen.find('logs'), isNew(seen, 0)]).toEqual([false, { topicId: 'b' }, true]);
  });

  it('says both of a topic that was made anew between two looks', () => {
    const seen = createTopicsSeen();
    seen.look(view('a', 1), 0);
    seen.look(view('b', 1), 1);
    expect(seen.look(view('b', 1), 1 + SETTLE_MS).map(({ kind }) => kind)).toEqual(['deleted', 'made-anew']);
  });

  it('does not believe one broker that is behind', () => {
    const seen = createTopicsSeen();
    seen.look(view('b', 1), 0);
    expect(seen.look(view('a', 1), 1)).toEqual([]);
    expect(seen.look(view('b', 1), 2)).toEqual([]);
    expect(seen.look(view('a', 1), 1 + SETTLE_MS)).toEqual([]);
    expect([seen.find('logs'), isNew(seen, 0)]).toEqual([{ topicId: 'b' }, false]);
  });

  it('tells nothing apart where brokers have no ids', () => {
    const seen = createTopicsSeen();
    seen.look(view(undefined, 1), 0);
    expect(seen.look(view(undefined, 1), 2 * SETTLE_MS)).toEqual([]);
    expect([seen.find('logs'), isNew(seen, 0)]).toEqual([{ topicId: undefined }, false]);
  });

  it('takes the ids of brokers that have learned to give them', () => {
    const seen = createTopicsSeen();
    seen.look(view(undefined, 1), 0);
    expect(seen.look(view('a', 1), 1)).toEqual([]);
    expect([seen.find('logs'), isNew(seen, 0)]).toEqual([{ topicId: 'a' }, false]);
  });
});
