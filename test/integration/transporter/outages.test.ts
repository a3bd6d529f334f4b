import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startStack } from '../../../scripts/stack/stack.ts';
import { startSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { committedOffsets, isCarried, kafka, readObjects, transporterFile } from './transporter-files.ts';

it('a broker is killed, then S3, while records flow: every record is stored once when both are back', async () => {
  const stack = await startStack();
  onTestFinished(() => stack.stop());
  const topic = await freshTopic({ partitions: 6, replicationFactor: 3 }, stack.bootstrap);
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const file = await transporterFile(directory, 'worker', { topic, group, prefix, stack });
  const worker = startSkald(['transporter', '-c', file]);

  // It has to outlive the election of a leader, however busy the machine is.
  const retry = { retries: 100, maxRetryTime: 1_000 };
  const producer = kafka(stack.bootstrap).producer({ idempotent: true, maxInFlightRequests: 1, retry });
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  const sent: string[] = [];
  const produce = async (round: string): Promise<void> => {
    const values = Array.from({ length: 2000 }, (_, i) => `${round} ${i} ${'.'.repeat(i % 100)}`);
    sent.push(...values);
    await producer.send({ topic, messages: values.map((value) => ({ value })) });
  };
  const committed = async (): Promise<number> =>
    (await committedOffsets(group, topic, stack.bootstrap)).reduce((sum, { offset }) => sum + offset, 0);
  const isAllCommitted = (): Promise<boolean> => isCarried(group, topic, stack.bootstrap);

  await produce('in peace');
  await waitFor(isAllCommitted, { timeoutMs: 90_000, what: 'the first records are committed' });

  await stack.killBroker(2);
  await produce('without a broker');
  await waitFor(isAllCommitted, { timeoutMs: 90_000, what: 'records are committed without the broker' });
  await stack.startBroker(2);

  const before = await committed();
  await stack.killS3();
  await produce('without S3');
  await waitFor(() => worker.stderr().includes('an object cannot be stored yet'), {
    timeoutMs: 90_000,
    what: 'the worker complains',
  });
  expect(await committed()).toBe(before);
  await stack.startS3();
  await waitFor(isAllCommitted, { timeoutMs: 90_000, what: 'everything is committed' });

  const objects = await readObjects(join(stack.objectsDir, stack.s3.bucket, prefix));
  expect([...objects.values()].flat().toSorted()).toEqual(sent.toSorted());
  worker.signal('SIGTERM');
  expect(await worker.exited()).toMatchObject({ code: 0 });
});
