/** Whole workers on a store that fails in every way that the fault proxy knows; at the end every record is counted. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, DeleteBucketCommand } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { findFreePorts } from '../../../scripts/stack/ports.ts';
import { startSkald } from '../../support/run-skald.ts';
import {
  cutBody,
  cutHead,
  cutWithoutTrace,
  emptySuccess,
  errorIn200,
  type Fault,
  flipBit,
  loseAnswer,
  refuse,
  reset,
  type S3FaultProxy,
  type S3Operation,
  silence,
  stallBody,
  strikeConditions,
} from '../../support/s3-fault-proxy.ts';
import { sharedS3Client, sharedS3FaultProxy, unfinishedUploads } from '../../support/shared-s3.ts';
import { freshPrefix, freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { isCarried, kafka, readObjects, transporterFile } from './transporter-files.ts';

const MIB = 1024 * 1024;
const PATIENCE_MS = 120_000;
const TWO_HOURS_MS = 7_200_000;

/** What can befall any request. */
const FAULTS: Readonly<Record<string, Fault>> = {
  'slow down': refuse(503, 'SlowDown'),
  'internal error': refuse(500, 'InternalError'),
  'expired credentials': refuse(400, 'ExpiredToken'),
  'clock skew': refuse(403, 'RequestTimeTooSkewed', {
    date: new Date(Date.now() + TWO_HOURS_MS).toUTCString(),
  }),
  'no answer': silence,
  'connection reset': reset,
  'answer lost': loseAnswer,
  'answer cut in its head': cutHead,
  'answer cut in its body': cutBody,
  'answer without its body': stallBody,
  'a page of somebody else': emptySuccess,
};

const FAULTS_OF: Partial<Record<S3Operation, Readonly<Record<string, Fault>>>> = {
  PutObject: { ...FAULTS, 'bit turned': flipBit },
  CreateMultipartUpload: {
    ...FAULTS,
    'answer cut without trace': cutWithoutTrace,
    'error in a 200': errorIn200,
  },
  UploadPart: { ...FAULTS, 'bit turned': flipBit },
  CompleteMultipartUpload: {
    ...FAULTS,
    'answer cut without trace': cutWithoutTrace,
    'error in a 200': errorIn200,
  },
};

interface Scene {
  proxy: S3FaultProxy;
  /** Lines of YAML below `store`. */
  store?: string[];
  settings?: string[];
  chunk?: string[];
  partitions?: number;
  bucket?: string;
  hasKeys?: boolean;
}

/** A topic, the file of a worker that stores through the proxy, and who produces and counts. */
async function stage({
  proxy,
  store = [],
  settings = [],
  chunk,
  partitions = 1,
  bucket,
  hasKeys = true,
}: Scene) {
  const { s3, objectsDir } = sharedStack();
  const topic = await freshTopic({ partitions });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const port = (await findFreePorts(1))[0]!;
  const keys = [`accessKeyId: ${s3.accessKeyId}`, `secretAccessKey: ${s3.secretAccessKey}`];
  const storeLines = [
    'type: s3',
    `bucket: ${bucket ?? s3.bucket}`,
    `endpoint: ${proxy.endpoint}`,
    'forcePathStyle: true',
    'multipartThresholdBytes: 5MiB',
    'partBytes: 5MiB',
    ...(hasKeys ? keys : []),
    ...store,
  ];
  const file = await transporterFile(directory, 'worker', {
    topic,
    group,
    prefix,
    objects: ['codec: none'],
    status: `\n  port: ${port}`,
    settings: ['success: false', ...settings], // only records are counted
    store: `store:\n${storeLines.map((line) => `  ${line}\n`).join('')}`,
    ...(chunk !== undefined && { chunk }),
  });
  const producer = kafka().producer();
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  const sent: string[] = [];

  return {
    topic,
    prefix,
    directory,
    start: (env: NodeJS.ProcessEnv = {}) => startSkald(['transporter', '-c', file], { env }),
    /** Lines of 1 KiB. */
    produce: async (partition: number, kibibytes: number): Promise<void> => {
      for (let left = kibibytes; left > 0; left -= 512) {
        const values = Array.from({ length: Math.min(left, 512) }, (_, i) =>
          `${partition} ${sent.length + i} `.padEnd(1023, 'x'),
        );
        sent.push(...values);
        await producer.send({ topic, messages: values.map((value) => ({ value, partition })) });
      }
    },
    carried: () =>
      waitFor(() => isCarried(group, topic), { timeoutMs: PATIENCE_MS, what: 'everything is committed' }),
    /** From the store's own files; both empty when each record is there once. */
    count: async (): Promise<{ missing: string[]; surplus: string[] }> => {
      const objects = await readObjects(join(objectsDir, bucket ?? s3.bucket, prefix));
      const left = new Map(sent.map((value) => [value, 1]));
      for (const line of [...objects.values()].flat()) left.set(line, (left.get(line) ?? 0) - 1);
      const name = (line: string): string => line.slice(0, 40);
      return {
        missing: [...left].filter(([, times]) => times > 0).map(([line]) => name(line)),
        surplus: [...left].filter(([, times]) => times < 0).map(([line]) => name(line)),
      };
    },
    get: async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${port}${path}`)).text(),
  };
}

const EACH_ONCE = { missing: [], surplus: [] };

function metricIn(text: string, name: string): number {
  const value = new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1];
  return Number(value ?? NaN);
}

it('carries each record once through every fault at every step of a put and of an upload in parts', async () => {
  const proxy = await sharedS3FaultProxy();
  for (const [operation, faults] of Object.entries(FAULTS_OF)) {
    for (const [name, fault] of Object.entries(faults)) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Object.entries forgets the type of its keys
      proxy.strike({ name, fault, operation: operation as S3Operation, times: 1 });
    }
  }
  // So often that the SDK gives up and what was begun is left.
  proxy.strike({
    name: 'internal error',
    fault: refuse(500, 'InternalError'),
    operation: 'AbortMultipartUpload',
    times: 4,
  });
  const rules = proxy.pending.length;
  const { produce, start, carried, count, prefix } = await stage({
    proxy,
    store: ['requestTimeoutMs: 3s', 'maxAttempts: 3'],
    chunk: ['maxBytes: 5.5MiB', 'maxAgeMs: 4s'],
    partitions: 10,
  });
  // Half of the partitions for objects in parts; many, so that the faults do not all meet one object.
  for (const partition of [0, 1, 2, 3, 4]) await produce(partition, 16);
  for (const partition of [5, 6, 7, 8, 9]) await produce(partition, 6 * 1024);
  const worker = start();
  await waitFor(() => proxy.pending.length === 0, { timeoutMs: PATIENCE_MS, what: 'every fault has struck' });
  await carried();
  expect(await count()).toEqual(EACH_ONCE);
  expect(await unfinishedUploads(prefix)).toEqual([]);
  expect(proxy.requests.filter(({ fault }) => fault !== undefined)).toHaveLength(rules + 3);
  worker.signal('SIGTERM');
  expect(await worker.exited()).toMatchObject({ code: 0 });
}, 240_000);

it('a store knows no If-None-Match, and a worker is killed when it has stored an object: each record once', async () => {
  const proxy = await sharedS3FaultProxy();
  const { produce, start, carried, count } = await stage({ proxy, partitions: 2 });
  await produce(0, 64);
  const killed = start();
  const killing: Fault = async ({ pass }) => {
    await pass();
    killed.signal('SIGKILL');
  };
  proxy.strike({
    name: 'killed behind the put',
    operation: 'PutObject',
    matches: ({ headers }) => !('if-none-match' in headers),
    fault: killing,
    times: 1,
  });
  strikeConditions(proxy);
  await killed.exited();
  expect(killed.stderr()).not.toContain('If-None-Match'); // it had no answer to say so
  await produce(1, 64);
  const worker = start();
  await carried();
  expect(await count()).toEqual(EACH_ONCE);
  expect(worker.stderr().match(/does not know If-None-Match/g)).toHaveLength(1);
  await produce(0, 64);
  await carried();
  expect(await count()).toEqual(EACH_ONCE);
}, 240_000);

it('a bucket vanishes while records flow and comes back: said once, fetching stops, nothing is lost', async () => {
  const proxy = await sharedS3FaultProxy();
  const bucket = uniqueName('bucket');
  const client = sharedS3Client();
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const { produce, start, carried, count, get } = await stage({
    proxy,
    bucket,
    store: ['maxConcurrentUploads: 2', 'maxAttempts: 2'],
    settings: [
      'limits:',
      '  memoryBytes: 256MiB',
      '  decodeThreads: 1',
      'fetch:',
      '  maxPartitionBytes: 1MiB',
    ],
    chunk: ['maxBytes: 2MiB', 'maxAgeMs: 1s'],
    partitions: 4,
  });
  const worker = start();
  await waitFor(async () => (await get('/readyz')).includes('"ok":true'), {
    timeoutMs: PATIENCE_MS,
    what: 'the worker is ready',
  });
  await client.send(new DeleteBucketCommand({ Bucket: bucket }));
  for (const partition of [0, 1, 2, 3]) await produce(partition, 16 * 1024);
  await waitFor(() => worker.stderr().includes('objects cannot be stored'), {
    timeoutMs: PATIENCE_MS,
    what: 'the worker complains',
  });
  expect(await get('/readyz')).toMatch(/"ok":false.*objects wait for the store.*NoSuchBucket/);
  let metrics = '';
  let fetched = { bytes: 0, looks: 0 };
  await waitFor(
    async () => {
      metrics = await get('/metrics');
      const bytes = metricIn(metrics, 'skald_transporter_fetched_bytes_total');
      fetched = { bytes, looks: bytes === fetched.bytes ? fetched.looks + 1 : 0 };
      return bytes > 4 * MIB && fetched.looks === 20;
    },
    { timeoutMs: PATIENCE_MS, what: 'nothing more is fetched' },
  );
  // For each partition a chunk that waits, one behind it, and what was under way; there are 64.
  expect(fetched.bytes).toBeLessThan(40 * MIB);
  expect(metricIn(metrics, 'skald_transporter_waiting_objects')).toBeGreaterThan(0);
  expect(metricIn(metrics, 'skald_transporter_waiting_objects_seconds')).toBeGreaterThan(0);
  expect(metricIn(metrics, 'skald_transporter_memory_bytes')).toBeLessThanOrEqual(
    metricIn(metrics, 'skald_transporter_memory_limit_bytes'),
  );

  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  await carried();
  expect(await count()).toEqual(EACH_ONCE);
  expect(await unfinishedUploads('', bucket)).toEqual([]);
  expect(await get('/readyz')).toContain('"ok":true');
  // On a slow machine it lasts until it is said again, with how often it came.
  const complaints = worker
    .stderr()
    .split('\n')
    .filter((line) => line.includes('objects cannot be stored') && !line.includes('"repeated"'));
  expect(complaints).toHaveLength(1);
  expect(metricIn(await get('/metrics'), 'skald_transporter_waiting_objects')).toBe(0);
}, 240_000);

it('credentials expire under a running worker: said, and the file is read again until it has new ones', async () => {
  const proxy = await sharedS3FaultProxy();
  const { s3 } = sharedStack();
  const { produce, start, carried, count, directory } = await stage({ proxy, hasKeys: false });
  const credentialsFile = join(directory, 'credentials');
  const rotate = (keyId: string): Promise<void> =>
    writeFile(
      credentialsFile,
      `[default]\naws_access_key_id = ${keyId}\naws_secret_access_key = ${s3.secretAccessKey}\n`,
    );
  // The store knows one key; what it says of another one is its own. Only the first look is made to succeed.
  proxy.strike({ name: 'in the beginning', operation: 'HeadBucket', fault: emptySuccess, times: 1 });
  await rotate('expired');
  const worker = start({ AWS_SHARED_CREDENTIALS_FILE: credentialsFile });
  await produce(0, 8);
  await waitFor(() => worker.stderr().includes('objects cannot be stored'), {
    timeoutMs: PATIENCE_MS,
    what: 'the worker complains',
  });
  expect(worker.stderr()).toContain('STORE_DENIED');
  await rotate(s3.accessKeyId);
  await carried();
  expect(await count()).toEqual(EACH_ONCE);
}, 240_000);

it('uploads that a stopped and a killed worker had under way are dropped, and their records come once', async () => {
  const proxy = await sharedS3FaultProxy();
  const { produce, start, carried, count, prefix } = await stage({
    proxy,
    settings: ['shutdownTimeoutMs: 2s'],
    chunk: ['maxBytes: 5.75MiB', 'maxAgeMs: 1h'],
  });
  await produce(0, 6 * 1024);
  const hold = (operation: S3Operation, fault: Fault): (() => void) =>
    proxy.strike({ name: 'held', operation, fault });
  const held = (times: number): Promise<unknown> =>
    waitFor(() => proxy.requests.filter(({ fault }) => fault === 'held').length >= times, {
      timeoutMs: PATIENCE_MS,
      what: 'an upload is under way',
    });

  const lift = hold('CompleteMultipartUpload', silence);
  const stopped = start();
  await held(1);
  expect(await unfinishedUploads(prefix)).toHaveLength(1);
  stopped.signal('SIGTERM');
  expect(await stopped.exited()).toMatchObject({ code: 0 });
  expect(await unfinishedUploads(prefix)).toEqual([]);

  const killed = start();
  await held(2);
  killed.signal('SIGKILL');
  await killed.exited();
  expect(await unfinishedUploads(prefix)).toHaveLength(1);

  lift();
  start();
  await carried();
  expect(await unfinishedUploads(prefix)).toEqual([]);
  expect(await count()).toEqual(EACH_ONCE);
}, 240_000);
