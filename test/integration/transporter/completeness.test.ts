import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { unzstd } from '../../support/command-line-tools.ts';
import { runSkald, startSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { isCarried, kafka, transactionalProducer, transporterFile } from './transporter-files.ts';

const PATIENCE = { timeoutMs: 120_000, intervalMs: 500 };
const TEN = Date.parse('2026-07-31T10:00:00Z');
const HOUR_MS = 3_600_000;

const successSchema = z.object({
  records: z.number(),
  partitions: z.number(),
  objects: z.array(
    z.object({
      key: z.string(),
      bytes: z.number(),
      records: z.number(),
      partition: z.number(),
      firstOffset: z.number(),
      lastOffset: z.number(),
      crc32c: z.string(),
    }),
  ),
});

const progressSchema = z.object({
  topics: z.tuple([
    z.object({
      completeThrough: z.string().nullable(),
      lagRecords: z.number(),
      partitions: z.array(z.object({ completeThrough: z.string().nullable(), lagRecords: z.number() })),
    }),
  ]),
});

/** The stack's store by the AWS SDK alone. */
function bucketOf(prefix: string) {
  const { s3 } = sharedStack();
  const client = new S3Client({ ...s3, credentials: s3, forcePathStyle: true });
  onTestFinished(() => client.destroy());
  const place = { Bucket: s3.bucket };
  return {
    names: async (): Promise<string[]> => {
      const page = await client.send(new ListObjectsV2Command({ ...place, Prefix: `${prefix}/` }));
      return (page.Contents ?? []).map(({ Key = '' }) => Key).toSorted();
    },
    read: async (Key: string): Promise<Buffer> => {
      const { Body } = await client.send(new GetObjectCommand({ ...place, Key }));
      return Buffer.from(await Body!.transformToByteArray());
    },
    /** Rejects when the store computes another CRC-32C of these bytes. */
    copy: (Key: string, Body: Buffer, ChecksumCRC32C: string) =>
      client.send(new PutObjectCommand({ ...place, Key, Body, ChecksumCRC32C })),
  };
}

it('hours that every partition has passed get _SUCCESS, with a quiet partition too, and what comes later is marked', async () => {
  const topic = await freshTopic({ partitions: 3 });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const store = bucketOf(prefix);
  const folder = (hour: number): string => `${prefix}/${topic}/dt=2026-07-31/hr=${hour}/`;
  const producer = kafka().producer();
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  const send = (partition: number, values: string[], timeMs: number) =>
    producer.send({
      topic,
      messages: values.map((value) => ({ partition, value, timestamp: String(timeMs) })),
    });
  // Partition 2 has no record at all.
  const valuesAt = (hour: number, partition: number): string[] =>
    Array.from({ length: 50 + 10 * partition }, (_, i) => `${hour}/${partition}/${i}`);
  for (const hour of [10, 11])
    for (const partition of [0, 1])
      await send(partition, valuesAt(hour, partition), TEN + (hour - 10) * HOUR_MS);

  const chunk = ['maxBytes: 64KiB', 'maxAgeMs: 1s', 'bucketGraceMs: 1s'];
  const file = await transporterFile(directory, 'worker', { topic, group, prefix, chunk });
  const progress = async () => {
    const { code, stdout, stderr } = await runSkald(['transporter', 'progress', '-c', file, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return progressSchema.parse(JSON.parse(stdout)).topics[0];
  };
  // Nothing is known of the two with records; the third has none and holds nothing back.
  expect(await progress()).toMatchObject({
    completeThrough: null,
    lagRecords: 220,
    partitions: [{ lagRecords: 100 }, { lagRecords: 120 }, { lagRecords: 0 }],
  });

  const startedAtMs = Date.now();
  const worker = startSkald(['transporter', '-c', file]);
  const successes = [10, 11].map((hour) => `${folder(hour)}_SUCCESS`);
  await waitFor(
    async () => {
      const names = await store.names();
      return successes.every((name) => names.includes(name));
    },
    { ...PATIENCE, what: '_SUCCESS of both hours' },
  ).catch((error: unknown) => {
    throw new Error(worker.stdout(), { cause: error });
  });
  for (const hour of [10, 11]) {
    const success = successSchema.parse(JSON.parse((await store.read(`${folder(hour)}_SUCCESS`)).toString()));
    expect(success).toMatchObject({ records: 110, partitions: 3 });
    const lines: string[] = [];
    for (const { key, bytes, records, crc32c } of success.objects) {
      const content = await store.read(key);
      const text = (await unzstd(content)).toString().split('\n').slice(0, -1);
      expect({ bytes: content.length, records: text.length }).toEqual({ bytes, records });
      await store.copy(`${prefix}/copies/${key}`, content, crc32c);
      content[0]! ^= 1;
      await expect(store.copy(`${prefix}/copies/${key}`, content, crc32c)).rejects.toMatchObject({
        $metadata: { httpStatusCode: 400 },
      });
      lines.push(...text);
    }
    // In the order of partition and offset.
    expect(lines).toEqual([...valuesAt(hour, 0), ...valuesAt(hour, 1)]);
    expect((await store.names()).filter((name) => name.startsWith(folder(hour)))).toEqual(
      [...success.objects.map(({ key }) => key), `${folder(hour)}_SUCCESS`].toSorted(),
    );
  }

  const before = await store.read(successes[0]!);
  await send(1, ['late'], TEN);
  await waitFor(async () => (await store.names()).some((name) => name.startsWith(`${folder(10)}_LATE-1-`)), {
    ...PATIENCE,
    what: 'a marker of what is late',
  });
  const marker = (await store.names()).find((name) => name.startsWith(`${folder(10)}_LATE-1-`))!;
  const late = z
    .object({ object: z.string(), records: z.number() })
    .parse(JSON.parse((await store.read(marker)).toString()));
  expect(late.records).toBe(1);
  await waitFor(() => isCarried(group, topic), { ...PATIENCE, what: 'everything is committed' });
  expect((await unzstd(await store.read(late.object))).toString()).toBe('late\n');
  expect((await store.read(successes[0]!)).equals(before)).toBe(true);
  expect(before.toString()).not.toContain(late.object);

  const after = await progress();
  expect(after.lagRecords).toBe(0);
  expect(Date.parse(after.completeThrough!)).toBeGreaterThan(startedAtMs - HOUR_MS);
  expect(Date.parse(after.completeThrough!)).toBeLessThan(Date.now());
}, 400_000);

it.each([
  ['committed', ['before', 'in the transaction', 'too'], 4],
  ['aborted', ['before'], 2],
] as const)(
  'a transaction that stays open holds its hour back, as progress shows, until it is %s',
  async (end, stored, records) => {
    const topic = await freshTopic({ partitions: 2 });
    const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
    const store = bucketOf(prefix);
    const folder = `${prefix}/${topic}/dt=2026-07-31/hr=10/`;
    const messages = (partition: number, values: readonly string[]) =>
      values.map((value) => ({ partition, value, timestamp: String(TEN) }));
    const producer = kafka().producer();
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    await producer.send({ topic, messages: [...messages(0, ['before']), ...messages(1, ['other'])] });
    const transactional = await transactionalProducer();
    onTestFinished(() => transactional.disconnect());
    const transaction = await transactional.transaction();
    await transaction.send({ topic, messages: messages(0, ['in the transaction', 'too']) });

    const chunk = ['maxBytes: 64KiB', 'maxAgeMs: 1s', 'bucketGraceMs: 1s'];
    const file = await transporterFile(directory, 'worker', { topic, group, prefix, chunk });
    const progress = async () => {
      const { stdout } = await runSkald(['transporter', 'progress', '-c', file, '--json']);
      return progressSchema.parse(JSON.parse(stdout)).topics[0];
    };
    const worker = startSkald(['transporter', '-c', file]);
    // The other partition is through with the hour, and of this one all is stored that may be read.
    await waitFor(
      async () => {
        const { partitions } = await progress();
        return partitions[1]?.completeThrough != null && partitions[0]?.lagRecords === 2;
      },
      { ...PATIENCE, what: 'all that is committed is stored' },
    ).catch((error: unknown) => {
      throw new Error(worker.stderr(), { cause: error });
    });
    expect(await progress()).toMatchObject({
      completeThrough: null,
      lagRecords: 2,
      partitions: [{ completeThrough: null }, { completeThrough: expect.any(String) }],
    });
    const shown = await runSkald(['transporter', 'progress', '-c', file]);
    expect(shown.stdout).toMatch(/complete through not known yet; 2 records behind\n.*\n *0 +not known yet/);
    expect(await store.names()).not.toContain(`${folder}_SUCCESS`);

    await (end === 'committed' ? transaction.commit() : transaction.abort());
    await waitFor(async () => (await store.names()).includes(`${folder}_SUCCESS`), {
      ...PATIENCE,
      what: '_SUCCESS',
    });
    const success = successSchema.parse(JSON.parse((await store.read(`${folder}_SUCCESS`)).toString()));
    expect(success).toMatchObject({ records, partitions: 2 });
    const lines: string[] = [];
    for (const { key } of success.objects)
      lines.push(...(await unzstd(await store.read(key))).toString().split('\n').slice(0, -1));
    expect(lines).toEqual([...stored, 'other']);
    const after = await progress();
    expect(after).toMatchObject({ completeThrough: expect.any(String), lagRecords: 0 });
    expect((await store.names()).filter((name) => name.includes('_LATE-'))).toEqual([]);
  },
  400_000,
);

it('skald transporter progress says what it cannot know', async () => {
  const [topic, missing] = [await freshTopic({ partitions: 1 }), uniqueName('missing')];
  const names = { group: uniqueName('group'), prefix: freshPrefix() };
  const directory = await tempDir();
  const file = await transporterFile(directory, 'worker', { topic, ...names });
  const shown = await runSkald(['transporter', 'progress', '-c', file]);
  expect(shown.stdout).toContain(`topic ${topic}: complete through not known yet; 0 records behind`);
  const other = await transporterFile(directory, 'other', { topic: missing, ...names });
  const refused = await runSkald(['transporter', 'progress', '-c', other]);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`Topic ${missing} does not exist`),
  });
  const unread = await runSkald(['transporter', 'progress', '-c', `${file}.not`]);
  expect(unread).toMatchObject({ code: 2, stderr: expect.stringContaining('.yaml.not') });
});
