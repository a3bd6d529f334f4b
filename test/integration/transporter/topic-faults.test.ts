import { readFile, writeFile } from 'node:fs/promises';
import { expect, it, onTestFinished } from 'vitest';
import { createTopic, topicIsReady } from '../../../scripts/stack/kafka-admin.ts';
import { type RunningSkald, startSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import {
  committedOffsets,
  isCarried,
  kafka,
  readS3Objects,
  type TransporterFile,
  transporterFile,
} from './transporter-files.ts';

const TIMEOUT_MS = 60_000;
const METADATA_MAX_AGE_MS = 2_000;

const numbered = (what: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${what} ${i}`);

async function produce(topic: string, values: string[], partition = 0): Promise<void> {
  const producer = kafka().producer();
  await producer.connect();
  await producer.send({ topic, messages: values.map((value) => ({ value, partition })) });
  await producer.disconnect();
}

async function connectedAdmin() {
  const admin = kafka().admin();
  await admin.connect();
  onTestFinished(() => admin.disconnect());
  return admin;
}

/** Workers of one group, one after the other, that look at topics every two seconds. */
async function fleetOf(topic: string, options: Partial<TransporterFile> = {}) {
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const file = await transporterFile(directory, 'worker', { topic, group, prefix, ...options });
  const text = await readFile(file, 'utf8');
  await writeFile(
    file,
    text.replace('cluster:\n', `cluster:\n  metadataMaxAgeMs: ${METADATA_MAX_AGE_MS}ms\n`),
  );
  return {
    group,
    start: (): RunningSkald => startSkald(['transporter', '-c', file]),
    stop: async (worker: RunningSkald): Promise<void> => {
      worker.signal('SIGTERM');
      await worker.exited();
    },
    carried: (): Promise<unknown> =>
      waitFor(() => isCarried(group, topic), { timeoutMs: TIMEOUT_MS, what: 'everything is committed' }),
    /** Lines of all objects, and the objects' names. */
    stored: async () => {
      const objects = await readS3Objects(prefix);
      return { lines: [...objects.values()].flat().toSorted(), names: [...objects.keys()] };
    },
  };
}

/** A topic of the same name, when nothing of the one before is left to be seen. */
async function remake(topic: string): Promise<void> {
  const { bootstrap } = sharedStack();
  const admin = await connectedAdmin();
  await admin.deleteTopics({ topics: [topic] });
  await waitFor(
    () =>
      createTopic(bootstrap, topic, { partitions: 1 }).then(
        () => true,
        () => undefined,
      ),
    {
      timeoutMs: TIMEOUT_MS,
      what: 'the topic is gone and made anew',
    },
  );
  await waitFor(() => topicIsReady(bootstrap, topic, 1), { timeoutMs: TIMEOUT_MS, what: 'it has a leader' });
}

it('a topic is deleted and made anew, under a worker and while none runs: all of each is stored once', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const fleet = await fleetOf(topic);
  const [first, second, third] = [numbered('first', 100), numbered('second', 300), numbered('third', 50)];
  await produce(topic, first);
  const watching = fleet.start();
  await fleet.carried();

  await remake(topic);
  await produce(topic, second); // more than before, so that the old offset is inside of the new log
  await fleet.carried();
  await waitFor(async () => (await fleet.stored()).lines.length === 400, {
    timeoutMs: TIMEOUT_MS,
    what: 'the second topic is stored',
  });
  expect(watching.stderr()).toContain('the topic was deleted');
  expect(watching.stderr()).toContain('the topic was made anew');
  await fleet.stop(watching);

  await remake(topic);
  await produce(topic, third);
  fleet.start();
  await waitFor(async () => (await fleet.stored()).lines.length === 450, {
    timeoutMs: TIMEOUT_MS,
    what: 'the third topic is stored',
  });
  const { lines, names } = await fleet.stored();
  expect(lines).toEqual([...first, ...second, ...third].toSorted());
  // All three had a chunk that begins at offset 0, in one hour or two.
  const atStart = names.filter((name) => /\/0-0(-[0-9a-f]{12})?\.log\.zst$/.test(name));
  expect(atStart).toHaveLength(3);
}, 240_000);

it('retention overtakes the committed offset: the lost range is said exactly, and the rest is carried', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const fleet = await fleetOf(topic);
  const values = numbered('record', 300);
  await produce(topic, values.slice(0, 100));
  const before = fleet.start();
  await fleet.carried();
  await fleet.stop(before);

  await produce(topic, values.slice(100));
  const admin = await connectedAdmin();
  await admin.fetchTopicOffsets(topic); // kafkajs deletes only in topics that it has met
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '170' }] });
  const after = fleet.start();
  await fleet.carried();
  const said = after
    .stderr()
    .split('\n')
    .filter((line) => line.includes('records are lost'));
  expect(said).toHaveLength(1);
  expect(JSON.parse(said[0]!)).toMatchObject({
    level: 'error',
    topic,
    partition: 0,
    lostFrom: 100,
    lostTo: 170,
    lostOffsets: 70,
  });
  expect((await fleet.stored()).lines).toEqual([...values.slice(0, 100), ...values.slice(170)].toSorted());
}, 180_000);

it('partitions are added: they are carried from their beginning, though others began at the latest', async () => {
  const topic = await freshTopic({ partitions: 2 });
  const fleet = await fleetOf(topic, { settings: ['startFrom: latest'] });
  await produce(topic, numbered('before', 10));
  fleet.start();
  await waitFor(async () => (await committedOffsets(fleet.group, topic)).length === 2, {
    timeoutMs: TIMEOUT_MS,
    what: 'the group has begun',
  });
  const admin = await connectedAdmin();
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
  await waitFor(() => topicIsReady(sharedStack().bootstrap, topic, 4), {
    timeoutMs: TIMEOUT_MS,
    what: 'the new partitions have leaders',
  });
  const sent = [0, 1, 2, 3].map((partition) => ({
    partition,
    values: numbered(`partition ${partition}`, 20),
  }));
  for (const { partition, values } of sent) await produce(topic, values, partition);
  await fleet.carried();
  expect((await fleet.stored()).lines).toEqual(sent.flatMap(({ values }) => values).toSorted());
}, 180_000);
