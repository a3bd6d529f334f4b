import kafkajs, { type KafkaMessage } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { encodeLineBatch } from '../../../shared/wire/encode-lines.ts';
import { encodeRecordBatch } from '../../../shared/wire/encode-records.ts';
import { decodeProvenance } from '../../../shared/wire/provenance.ts';
import { sealBatch } from '../../../shared/wire/record-batch.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { installKafkajsCodecs } from './kafkajs-codecs.ts';
import { type RawTopic, openRawTopic } from './raw-topic.ts';

const CODECS = ['none', 'gzip', 'lz4', 'zstd'] as const;
const TIME = 1_700_000_000_000;

/** Enough for several LZ4 and zstd blocks, with what a careless encoder would trip over. */
function linesFor(codec: string): string[] {
  const odd = ['', '\t', 'ends with a carriage return\r', 'äöü 漢字 🚚', '\0\x01\x7f', 'x'.repeat(70_000)];
  return [
    codec,
    ...odd,
    ...Array.from({ length: 3000 }, (_, i) => `10.0.0.${i % 256} "GET /item/${i * 7919}" 200`),
  ];
}

async function readByKafkajs(topic: string, count: number): Promise<KafkaMessage[]> {
  installKafkajsCodecs();
  const client = new kafkajs.Kafka({
    brokers: [...sharedStack().bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const consumer = client.consumer({ groupId: topic });
  const messages: KafkaMessage[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message }) => {
        messages.push(message);
        return Promise.resolve();
      },
    });
    await waitFor(() => messages.length >= count, {
      timeoutMs: 40_000,
      what: `${count} messages of ${topic}`,
    });
  } finally {
    await consumer.disconnect();
  }
  return messages;
}

async function readByConsole(topic: string, count: number, properties: readonly string[]): Promise<string[]> {
  const { stdout } = await kafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    `--bootstrap-server=${sharedStack().bootstrap.join(',')}`,
    `--topic=${topic}`,
    '--from-beginning',
    `--max-messages=${count}`,
    '--timeout-ms=30000',
    ...properties.map((property) => `--property=${property}`),
  ]);
  return stdout.split('\n').slice(0, -1);
}

describe('batches of lines, one of each codec', () => {
  let topic: string;
  let raw: RawTopic;
  const answers: { errorCode: number; baseOffset: number }[] = [];
  const linesInBatch = linesFor('none').length;
  const expected = CODECS.flatMap(linesFor);

  beforeAll(async () => {
    topic = await freshTopic({ partitions: 1 });
    raw = await openRawTopic(topic);
    let offset = 0;
    for (const codec of CODECS) {
      const bytes = Buffer.from(
        linesFor(codec)
          .map((line) => `${line}\n`)
          .join(''),
      );
      const segment = { bytes, start: 0, end: bytes.length, terminated: true, fileId: codec, fileOffset: 10 };
      const names = { host: 'h', pipeline: 'p', timestampMs: TIME + offset };
      const limits = { maxRecordBytes: 100_000, oversize: 'truncate' } as const;
      const batch = await encodeLineBatch([segment], { codec, ...names, ...limits });
      answers.push(await raw.produce(batch.bytes));
      offset += batch.recordCount;
    }
  });

  afterAll(() => raw.close());

  test('are taken by the broker', () => {
    expect(answers).toMatchObject(CODECS.map((_, i) => ({ errorCode: 0, baseOffset: i * linesInBatch })));
  });

  test("are read by Apache's console consumer, with their offsets and times", async () => {
    const printed = await readByConsole(topic, expected.length, [
      'print.timestamp=true',
      'print.offset=true',
    ]);
    const batchTime = (offset: number) => TIME + offset - (offset % linesInBatch);
    expect(printed).toEqual(expected.map((line, i) => `CreateTime:${batchTime(i)}\tOffset:${i}\t${line}`));
  });

  test('are read by kafkajs, with the provenance on the first record of each', async () => {
    const messages = await readByKafkajs(topic, expected.length);
    expect(messages.map(({ value }) => value!.toString())).toEqual(expected);
    const provenances = messages.flatMap(({ offset, headers = {} }) => {
      const value = headers['skald-provenance'];
      return Buffer.isBuffer(value) ? [{ offset: Number(offset), ...decodeProvenance(value) }] : [];
    });
    expect(provenances).toMatchObject(
      CODECS.map((fileId, i) => ({
        offset: i * linesInBatch,
        host: 'h',
        ranges: [{ fileId, start: 10, records: linesInBatch }],
      })),
    );
  });
});

describe('records with keys, headers and nulls', () => {
  test.each(CODECS)('%s', async (codec) => {
    const topic = await freshTopic({ partitions: 1 });
    const raw = await openRawTopic(topic);
    const headers = [
      { key: 'first', value: Buffer.from('1') },
      { key: 'été', value: null },
    ];
    const records = [
      { key: Buffer.from('k'), value: Buffer.from('v'), headers, timestampMs: TIME },
      { key: Buffer.alloc(0), value: null, timestampMs: TIME - 1 },
      { value: Buffer.alloc(0), timestampMs: TIME + 100_000_000 },
    ];
    const batch = await encodeRecordBatch(records, { codec });
    expect(await raw.produce(batch)).toMatchObject({ errorCode: 0, baseOffset: 0 });
    await raw.close();
    const properties = ['print.timestamp=true', 'print.headers=true', 'print.key=true', 'null.literal=NULL'];
    expect(await readByConsole(topic, 3, properties)).toEqual([
      `CreateTime:${TIME}\tfirst:1,été:NULL\tk\tv`,
      `CreateTime:${TIME - 1}\tNO_HEADERS\t\tNULL`,
      `CreateTime:${TIME + 100_000_000}\tNO_HEADERS\tNULL\t`,
    ]);
  });
});

test('a sealed batch is known again by the broker: sent twice, it is there once', async () => {
  const raw = await openRawTopic(await freshTopic({ partitions: 1 }));
  const identity = await raw.newProducerId();
  const batches = [];
  for (const [baseSequence, value] of ['first', 'second'].entries()) {
    const batch = await encodeRecordBatch([{ value: Buffer.from(value), timestampMs: TIME }], {
      codec: 'zstd',
    });
    sealBatch(batch, { ...identity, baseSequence });
    batches.push(batch);
  }
  for (const [offset, batch] of [...batches.entries(), ...batches.entries()]) {
    expect(await raw.produce(batch)).toMatchObject({ errorCode: 0, baseOffset: offset });
  }
  const { headers, records } = await raw.read();
  expect(records.map(({ value }) => String(value))).toEqual(['first', 'second']);
  expect(headers[1]).toMatchObject({ ...identity, baseSequence: 1, baseOffset: 1 });
  await raw.close();
});
