/** A broker that allows less metadata beside an offset than the 4,096 bytes of its default. */
import { expect, it, onTestFinished } from 'vitest';
import { findFreePorts } from '../../../scripts/stack/ports.ts';
import { type LocalStack, startStack } from '../../../scripts/stack/stack.ts';
import { startSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { committedOffsets, isCarried, kafka, readS3Objects, transporterFile } from './transporter-files.ts';

const PATIENCE_MS = 90_000;
const RECORDS = 200;
/** Enough for how far a partition is in time, and too little for an intent. */
const TOO_LITTLE = 256;

it('an intent does not fit: nothing is stored, the setting is named, and all is carried once when it is raised', async () => {
  const [broker, controller, s3, status] = await findFreePorts(4);
  const dataDir = await tempDir();
  const startBroker = async (settings: Record<string, string>): Promise<LocalStack> => {
    const ports = { brokers: [broker!], controllers: [controller!], s3: s3! };
    const stack = await startStack({ brokers: 1, s3: false, dataDir, ports, brokerSettings: settings });
    onTestFinished(() => stack.stop());
    return stack;
  };
  const small = await startBroker({ 'offset.metadata.max.bytes': String(TOO_LITTLE) });
  const { bootstrap } = small;
  const topic = await freshTopic({ partitions: 1 }, bootstrap);
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const file = await transporterFile(directory, 'worker', {
    topic,
    group,
    prefix,
    stack: { bootstrap, s3: sharedStack().s3 },
    status: `\n  port: ${status}`,
  });
  const sent = Array.from({ length: RECORDS }, (_, i) => `record ${i}`);
  const producer = kafka(bootstrap).producer();
  await producer.connect();
  await producer.send({ topic, messages: sent.map((value) => ({ value })) });
  await producer.disconnect();

  const readiness = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${status}/readyz`).catch(() => undefined);
    return (await answer?.text()) ?? '';
  };
  // The second one finds what the first one left, which is nothing.
  for (const _ of [1, 2]) {
    const worker = startSkald(['transporter', '-c', file]);
    await waitFor(async () => (await readiness()).includes('OFFSET_METADATA_TOO_LARGE'), {
      timeoutMs: PATIENCE_MS,
      what: 'the worker is not ready',
    }).catch((error: unknown) => {
      throw new Error(worker.stderr(), { cause: error });
    });
    expect(await readiness()).toMatch(/offset\.metadata\.max\.bytes.*has \d+ bytes: raise the setting/);
    expect(await committedOffsets(group, topic, bootstrap)).toMatchObject([
      { offset: 0, metadata: expect.not.stringContaining('skald') },
    ]);
    worker.signal('SIGKILL');
    await worker.exited();
  }
  expect((await readS3Objects(prefix)).size).toBe(0);
  await small.stop();

  await startBroker({});
  const worker = startSkald(['transporter', '-c', file]);
  await waitFor(() => isCarried(group, topic, bootstrap), {
    timeoutMs: PATIENCE_MS,
    what: 'everything is committed',
  });
  expect([...(await readS3Objects(prefix)).values()].flat()).toEqual(sent);
  worker.signal('SIGTERM');
  expect(await worker.exited()).toMatchObject({ code: 0 });
}, 300_000);
