import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCluster } from '../../../shared/kafka/cluster.ts';
import { fetchRequest } from '../../../shared/kafka/requests/fetch.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import { arrived, countRecords, readValues } from '../../support/read-topic.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { agentHost } from './agent-host.ts';

/** Ids of the codecs in the attributes of a record batch (Kafka protocol guide, Record Batch). */
const CODEC_IDS = { none: 0, gzip: 1, lz4: 3, zstd: 4 } as const;

/** The codec of every batch in partition 0, from its attributes as the broker stores them. */
async function codecsIn(topic: string): Promise<Set<number>> {
  const cluster = openCluster(
    {
      brokers: sharedStack().bootstrap,
      clientId: 't',
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 5_000,
      metadataMaxAgeMs: 60_000,
    },
    { logger: silentLogger },
  );
  try {
    const { leader } = (await cluster.metadata([topic])).topics.get(topic)!.partitions[0]!;
    const partition = { topic, partition: 0, fetchOffset: 0, maxBytes: 1 << 24 };
    const limits = {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1 << 24,
      isolation: 'read_uncommitted',
      rackId: '',
    } as const;
    const answer = await cluster.send(leader, 'fetch', fetchRequest({ partitions: [partition], ...limits }));
    const records = Buffer.from(answer.partitions[0]!.records);
    const codecs = new Set<number>();
    for (let at = 0; at + 61 <= records.length; at += 12 + records.readInt32BE(at + 8)) {
      codecs.add(records.readInt16BE(at + 21) & 0x07);
    }
    return codecs;
  } finally {
    await cluster.close();
  }
}

test('every codec carries every byte: NULs, invalid UTF-8, carriage returns, empty lines', async () => {
  const codecs = ['none', 'gzip', 'lz4', 'zstd'] as const;
  const topics = await Promise.all(codecs.map(() => freshTopic({ partitions: 1 })));
  const host = await agentHost(
    Object.fromEntries(codecs.map((codec, i) => [codec, { topic: topics[i]!, kafka: [`codec: ${codec}`] }])),
  );
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 0x0a));
  const lines = [
    every,
    Buffer.from([0xc3, 0x28, 0xed, 0xa0, 0x80, 0xff, 0xfe, 0x00]), // no valid UTF-8 in any reading
    Buffer.from('with a carriage return\r'),
    Buffer.alloc(0),
    Buffer.alloc(5_000),
    ...Array.from({ length: 2_000 }, (_, i) => Buffer.from(`line ${i} of many that look alike`)),
  ];
  const bytes = Buffer.concat(lines.map((line) => Buffer.concat([line, Buffer.from('\n')])));
  for (const codec of codecs) await writeFile(join(host.logs, codec, 'app.log'), bytes);
  const agent = host.start();
  for (const [i, codec] of codecs.entries()) {
    await arrived(topics[i]!, lines.length);
    expect(await codecsIn(topics[i]!)).toEqual(new Set([CODEC_IDS[codec]]));
  }
  const read = await Promise.all(topics.map((topic) => readValues(topic)));
  expect(codecs.filter((_, i) => !read[i]!.equals(bytes))).toEqual([]);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
});

test('a graceful stop in mid-stream: everything that was written before is there, once, after the next start', async () => {
  const topic = await freshTopic({ partitions: 3 });
  const host = await agentHost({
    app: { topic, yaml: 'partitioner:\n  stickyMs: 50\n  stickyBytes: 64KiB\n' },
  });
  const log = join(host.logs, 'app', 'app.log');
  let written = 0;
  const write = async (lines: number): Promise<void> => {
    await appendFile(log, Array.from({ length: lines }, () => `line ${(written += 1)}\n`).join(''));
  };
  for (let round = 0; round < 3; round += 1) {
    const agent = host.start();
    const before = await countRecords(topic);
    for (let step = 0; step < 20; step += 1) await write(500);
    await waitFor(async () => (await countRecords(topic)) > before, {
      timeoutMs: 60_000,
      what: 'lines in Kafka',
    });
    await write(5_000);
    agent.signal('SIGTERM');
    expect(await agent.exited()).toMatchObject({ code: 0 });
  }
  const last = host.start();
  await arrived(topic, written);
  last.signal('SIGTERM');
  await last.exited();
  const values = (await readValues(topic)).toString().trimEnd().split('\n');
  expect(values.length).toBe(written);
  expect(new Set(values).size).toBe(written);
});
