import { expect, test } from 'vitest';
import { sharedClusters } from '../../../agent/shared-clusters.ts';
import type { KafkaCluster } from '../../../shared/kafka/cluster.ts';

function setUp() {
  const events: string[] = [];
  let opened = 0;
  const clusters = sharedClusters((name) => {
    opened += 1;
    const id = `${name} ${opened}`;
    events.push(`open ${id}`);
    const unused = (): Promise<never> => Promise.reject(new Error('not in this test'));
    const cluster: KafkaCluster = {
      metadata: unused,
      send: unused,
      sendToAny: unused,
      close: () => {
        events.push(`close ${id}`);
        return Promise.resolve();
      },
    };
    return cluster;
  });
  return { clusters, events };
}

test('pipelines of one cluster share it; the last one closes it, and the next one opens it anew', async () => {
  const { clusters, events } = setUp();
  const first = clusters.lease('main');
  const second = clusters.lease('main');
  expect(second.cluster).toBe(first.cluster);
  await first.release();
  await first.release(); // twice counts once
  expect(events).toEqual(['open main 1']);
  await second.release();
  expect(events).toEqual(['open main 1', 'close main 1']);
  expect(clusters.lease('main').cluster).not.toBe(first.cluster);
});

test('clusters are closed one by one', async () => {
  const { clusters, events } = setUp();
  const main = clusters.lease('main');
  clusters.lease('audit');
  await main.release();
  expect(events).toEqual(['open main 1', 'open audit 2', 'close main 1']);
});

test('who leases while the last one lets go does not get the closed one', async () => {
  const { clusters } = setUp();
  const old = clusters.lease('main');
  const closing = old.release();
  expect(clusters.lease('main').cluster).not.toBe(old.cluster);
  await closing;
});
