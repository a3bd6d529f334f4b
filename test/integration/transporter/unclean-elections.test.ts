import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { describeTopic } from '../../../scripts/stack/kafka-admin.ts';
import { startStack } from '../../../scripts/stack/stack.ts';
import { type RunningSkald, startSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { isCarried, kafka, readObjects, transporterFile } from './transporter-files.ts';

const TIMEOUT_MS = 90_000;

/** What was said of truncated logs. */
const truncations = (worker: RunningSkald): unknown[] =>
  worker
    .stderr()
    .split('\n')
    .filter((line) => line.includes('truncatedFrom'))
    .map((line): unknown => JSON.parse(line));

it('two brokers are killed in turn, and each leads without what only the other had: nothing comes twice, or is missed', async () => {
  const stack = await startStack();
  onTestFinished(() => stack.stop());
  const { bootstrap } = stack;
  const topic = await freshTopic(
    {
      partitions: 1,
      replicaAssignment: [[1, 2]],
      settings: { 'unclean.leader.election.enable': 'true', 'min.insync.replicas': '1' },
    },
    bootstrap,
  );
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const file = await transporterFile(directory, 'worker', { topic, group, prefix, stack });
  const start = (): RunningSkald => startSkald(['transporter', '-c', file]);
  const carried = (): Promise<unknown> =>
    waitFor(() => isCarried(group, topic, bootstrap), {
      timeoutMs: TIMEOUT_MS,
      what: 'everything is committed',
    });

  const retry = { retries: 100, maxRetryTime: 1_000 };
  const producer = kafka(bootstrap).producer({ retry });
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  const sent: string[] = [];
  const produce = async (what: string, count: number): Promise<void> => {
    const values = Array.from({ length: count }, (_, i) => `${what} ${i}`);
    sent.push(...values);
    await producer.send({ topic, messages: values.map((value) => ({ value })) });
  };
  const state = async (what: string, leader: number, inSync: number[]): Promise<void> => {
    const is = async (): Promise<boolean> => {
      const [partition] = await describeTopic(bootstrap.slice(2), topic);
      return (
        partition?.leader === leader && partition.inSync.toSorted((a, b) => a - b).join() === inSync.join()
      );
    };
    await waitFor(() => is().catch(() => false), { timeoutMs: TIMEOUT_MS, what });
  };

  const watching = start();
  await produce('on both', 100);
  await carried();
  await stack.killBroker(2);
  await state('2 is out of sync', 1, [1]);
  await produce('only on 1', 60);
  await carried();
  await stack.killBroker(1);
  await stack.startBroker(2);
  await state('2 leads without what only 1 had', 2, [2]);
  await produce('on 2 instead', 30); // the log ends before the committed offset
  await carried();
  const fields = { level: 'error', topic, partition: 0 };
  expect(truncations(watching)).toMatchObject([{ ...fields, truncatedFrom: 100, truncatedTo: 160 }]);

  await stack.startBroker(1);
  await state('1 has what 2 has', 2, [1, 2]);
  await stack.killBroker(1);
  await state('1 is out of sync', 2, [2]);
  await produce('only on 2', 50);
  await carried();
  watching.signal('SIGKILL');
  await watching.exited();
  await stack.killBroker(2);
  await stack.startBroker(1);
  await state('1 leads without what only 2 had', 1, [1]);
  await produce('on 1 instead', 100); // the committed offset is inside of the log
  const next = start();
  await carried();
  expect(truncations(next)).toMatchObject([{ ...fields, truncatedFrom: 130, truncatedTo: 180 }]);

  const objects = await readObjects(join(stack.objectsDir, stack.s3.bucket, prefix));
  expect([...objects.values()].flat().toSorted()).toEqual(sent.toSorted());
}, 300_000);
