/**
 * The program that sinks/kafkajs.ts runs: carries a topic to its present end, the values of records as lines, in gzip
 * objects of `chunkBytes` of text, and commits a partition's offset when what is before it is stored.
 */
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import zstd from '@mongodb-js/zstd';
import kafkajs, { type EachBatchPayload } from 'kafkajs';
import { decompressFrame } from 'lz4-napi';
import { z } from 'zod';

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
const compress = promisify(gzip);
const LINE_FEED = 0x0a;
const MIB = 1024 ** 2;

const text = z.string();
const { topic, group, bootstrap, prefix, level, chunkBytes, s3 } = z
  .object({
    topic: text,
    group: text,
    prefix: text,
    bootstrap: z.array(text),
    level: z.number(),
    chunkBytes: z.number(),
    s3: z.object({
      endpoint: text,
      region: text,
      bucket: text,
      accessKeyId: text,
      secretAccessKey: text,
    }),
  })
  .parse(JSON.parse(readFileSync(process.argv[2]!, 'utf8')));

const refuse = (): Promise<Buffer> => Promise.reject(new Error('nothing is produced here'));
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: refuse,
  decompress: (buffer: Buffer) => zstd.decompress(buffer),
});
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: refuse,
  decompress: (buffer: Buffer) => decompressFrame(buffer),
});

interface Chunk {
  firstOffset: string;
  /** Compressed, each a gzip member. */
  members: Buffer[];
  textBytes: number;
}

const client = new S3Client({ ...s3, credentials: s3, forcePathStyle: true });
const kafka = new Kafka({ clientId: 'bench', brokers: bootstrap, logLevel: logLevel.WARN });
const admin = kafka.admin();
await admin.connect();
const ends = new Map(
  (await admin.fetchTopicOffsets(topic))
    .filter(({ high, low }) => high !== low)
    .map(({ partition, high }) => [partition, Number(high)]),
);
await admin.disconnect();

/** The values and a line feed behind each, copied once. */
function linesOf(messages: EachBatchPayload['batch']['messages']): Buffer {
  const lines = Buffer.allocUnsafe(messages.reduce((sum, { value }) => sum + (value?.length ?? 0) + 1, 0));
  let at = 0;
  for (const { value } of messages) {
    at += value?.copy(lines, at) ?? 0;
    lines[at++] = LINE_FEED;
  }
  return lines;
}

const chunks = new Map<number, Chunk>();
const consumer = kafka.consumer({ groupId: group, maxBytesPerPartition: MIB, maxBytes: 32 * MIB });

async function store(partition: number, nextOffset: number): Promise<void> {
  const { firstOffset, members } = chunks.get(partition)!;
  chunks.delete(partition);
  const Key = `${prefix}/${topic}/${partition}-${firstOffset}.log.gz`;
  await client.send(new PutObjectCommand({ Bucket: s3.bucket, Key, Body: Buffer.concat(members) }));
  await consumer.commitOffsets([{ topic, partition, offset: String(nextOffset) }]);
}

let finish = (): void => {};
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: true,
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch: { partition, messages } }) => {
    const lines = linesOf(messages);
    const chunk = chunks.get(partition) ?? { firstOffset: messages[0]!.offset, members: [], textBytes: 0 };
    chunks.set(partition, chunk);
    chunk.members.push(await compress(lines, { level, chunkSize: MIB }));
    chunk.textBytes += lines.length;
    const nextOffset = Number(messages.at(-1)!.offset) + 1;
    const isAtEnd = nextOffset >= ends.get(partition)!;
    if (chunk.textBytes >= chunkBytes || isAtEnd) await store(partition, nextOffset);
    if (isAtEnd) ends.delete(partition);
    if (ends.size === 0) finish();
  },
});
await finished;
await consumer.disconnect();
client.destroy();
