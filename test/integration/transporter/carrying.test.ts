import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CompressionTypes } from 'kafkajs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { findFreePorts } from '../../../scripts/stack/ports.ts';
import { startSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import {
  isCarried,
  kafka,
  readObjects,
  readS3Objects,
  transactionalProducer,
  transporterFile,
} from './transporter-files.ts';

const HOUR_MS = 3_600_000;
const statusSchema = z.object({ partitions: z.array(z.object({ position: z.number().optional() })) });

async function produce(
  topic: string,
  values: string[],
  options: { timestampMs?: number; partition?: number } = {},
): Promise<void> {
  const producer = kafka().producer();
  await producer.connect();
  await producer.send({
    topic,
    compression: CompressionTypes.GZIP,
    messages: values.map((value) => ({
      value,
      ...(options.partition !== undefined && { partition: options.partition }),
      ...(options.timestampMs !== undefined && { timestamp: String(options.timestampMs) }),
    })),
  });
  await producer.disconnect();
}

const carried = (group: string, topic: string): Promise<unknown> =>
  waitFor(() => isCarried(group, topic), { timeoutMs: 90_000, what: 'everything is committed' });

it('a worker that is stopped stores and commits what it has, and the next one goes on behind it', async () => {
  const topic = await freshTopic({ partitions: 3 });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const sent: string[] = [];
  for (const name of ['first', 'second']) {
    const port = (await findFreePorts(1))[0]!;
    // Nothing but the stop cuts a chunk in time.
    const file = { topic, group, prefix, chunk: ['maxAgeMs: 1h'], status: `\n  port: ${port}` };
    const worker = startSkald(['transporter', '-c', await transporterFile(directory, name, file)]);
    const values = Array.from({ length: 500 }, (_, i) => `${name} ${i}`);
    sent.push(...values);
    await produce(topic, values);
    const positions = async (): Promise<number> => {
      const { partitions } = statusSchema.parse(
        await (await fetch(`http://127.0.0.1:${port}/status`)).json(),
      );
      return partitions.reduce((sum, { position = 0 }) => sum + position, 0);
    };
    await waitFor(async () => (await positions().catch(() => 0)) === sent.length, {
      timeoutMs: 90_000,
      what: `the ${name} worker holds every record`,
    });
    expect([...(await readS3Objects(prefix)).values()].flat()).toHaveLength(sent.length - values.length);
    worker.signal('SIGTERM');
    expect(await worker.exited()).toMatchObject({ code: 0 });
    expect(await isCarried(group, topic)).toBe(true);
  }
  expect([...(await readS3Objects(prefix)).values()].flat().toSorted()).toEqual(sent.toSorted());
});

it('writes gzip objects by the hour of a time zone into a folder', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const [group, directory] = [uniqueName('group'), await tempDir()];
  const file = await transporterFile(directory, 'local', {
    topic,
    group,
    prefix: 'logs',
    store: `store:\n  type: local\n  directory: ${directory}/objects\n`,
    objects: ['codec: gzip', 'timeZone: Asia/Kolkata'],
  });
  const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  await produce(topic, ['half past, there'], { timestampMs: hour });
  await produce(topic, ['the hour after, there', 'and again'], { timestampMs: hour + HOUR_MS / 2 - 1 });
  await produce(topic, ['later'], { timestampMs: hour + HOUR_MS / 2 });
  startSkald(['transporter', '-c', file]);
  await carried(group, topic);
  const label = (ms: number): string => {
    const local = new Date(ms + 5.5 * HOUR_MS).toISOString();
    return `logs/${topic}/dt=${local.slice(0, 10)}/hr=${local.slice(11, 13)}`;
  };
  expect(Object.fromEntries(await readObjects(join(directory, 'objects')))).toEqual({
    [`${label(hour)}/0-0.log.gz`]: ['half past, there', 'the hour after, there', 'and again'],
    [`${label(hour + HOUR_MS / 2)}/0-0.log.gz`]: ['later'],
  });
  const sidecar = join(directory, 'objects', label(hour), '.0-0.log.gz.meta.json');
  expect(JSON.parse(await readFile(sidecar, 'utf8'))).toMatchObject({
    'skald-topic': topic,
    'skald-first-offset': '0',
    'skald-last-offset': '2',
    'skald-records': '3',
  });
});

it('carries what transactions committed, and nothing of those that were aborted', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const producer = await transactionalProducer();
  for (const [round, ending] of ['commit', 'abort', 'commit', 'abort'].entries()) {
    const transaction = await producer.transaction();
    const messages = Array.from({ length: 100 }, (_, i) => ({ value: `${ending} ${round} ${i}` }));
    await transaction.send({ topic, messages });
    await (ending === 'commit' ? transaction.commit() : transaction.abort());
  }
  await producer.disconnect();
  startSkald(['transporter', '-c', await transporterFile(directory, 'tx', { topic, group, prefix })]);
  await carried(group, topic);
  const lines = [...(await readS3Objects(prefix)).values()].flat();
  expect(lines).toEqual(
    [0, 2].flatMap((round) => Array.from({ length: 100 }, (_, i) => `commit ${round} ${i}`)),
  );
});

it('fetches from the replica in its own rack, not from the leader in another', async () => {
  const [leader, near] = sharedStack().brokers;
  const topic = await freshTopic({ replicaAssignment: [[leader!.id, near!.id]] });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const port = (await findFreePorts(1))[0]!;
  const file = { topic, group, prefix, rack: near!.rack, status: `\n  port: ${port}` };
  startSkald(['transporter', '-c', await transporterFile(directory, 'near', file)]);
  await produce(
    topic,
    Array.from({ length: 1000 }, (_, i) => `record ${i}`),
  );
  await carried(group, topic);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(metrics).toMatch(/^skald_transporter_fetched_bytes_total\{.*\} [1-9]/m);
  expect(metrics).not.toMatch(/^skald_transporter_cross_rack_fetched_bytes_total\{/m);
});

it('shows metrics, state and readiness while it runs', async () => {
  const topic = await freshTopic({ partitions: 2 });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const port = (await findFreePorts(1))[0]!;
  await produce(topic, ['a', 'b', 'c'], { partition: 1 });
  startSkald([
    'transporter',
    '-c',
    await transporterFile(directory, 'status', { topic, group, prefix, status: `\n  port: ${port}` }),
  ]);
  await carried(group, topic);
  const get = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  expect(JSON.parse(await get('/readyz'))).toEqual({ ok: true, reasons: [] });
  expect(JSON.parse(await get('/status'))).toMatchObject({
    group,
    partitions: [
      { topic, partition: 0, state: 'carrying', committedOffset: 0 },
      { topic, partition: 1, state: 'carrying', committedOffset: 3, heldBytes: 0 },
    ],
  });
  const metrics = await get('/metrics');
  expect(metrics).toContain(`skald_transporter_object_records_total{topic="${topic}"} 3`);
  expect(metrics).toContain(`skald_transporter_assigned_partitions{topic="${topic}"} 2`);
  expect(metrics).toContain(`skald_transporter_lag_records{topic="${topic}",partition="1"} 0`);
  expect(metrics).toContain(
    `skald_transporter_oldest_uncommitted_age_seconds{topic="${topic}",partition="1"} 0`,
  );
});
