import kafkajs, { CompressionTypes } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { installKafkajsCodecs } from './kafkajs-codecs.ts';
import { openRawTopic } from './raw-topic.ts';

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
const TIME = 1_700_000_000_000;
const KIB = 1024;

/** About 500 KiB: several blocks of any codec in a batch. */
const LINES = [
  'äöü 漢字 🚚',
  'x'.repeat(70_000),
  ...Array.from(
    { length: 8000 },
    (_, i) => `10.0.${i % 251}.7 "GET /item/${i * 7919}" ${200 + (i % 5)} ${i * 31}`,
  ),
];

async function readTopic(topic: string) {
  const raw = await openRawTopic(topic);
  try {
    return await raw.read();
  } finally {
    await raw.close();
  }
}

describe("Apache's console producer", () => {
  test.each(CODECS)('%s', async (codec) => {
    const topic = await freshTopic({ partitions: 1 });
    const before = Date.now();
    await kafkaTool(
      'org.apache.kafka.tools.ConsoleProducer',
      [
        `--bootstrap-server=${sharedStack().bootstrap.join(',')}`,
        `--topic=${topic}`,
        `--batch-size=${900 * KIB}`,
        `--compression-codec=${codec}`,
        '--producer-property=linger.ms=500',
      ],
      { stdin: LINES.map((line) => `${line}\n`).join('') },
    );
    const { headers, records } = await readTopic(topic);
    expect(records.map(({ value }) => String(value))).toEqual(LINES);
    expect(records.map(({ offset }) => offset)).toEqual([...LINES.keys()]);
    expect(new Set(headers.map((header) => header.codec))).toEqual(new Set([codec]));
    expect(Math.max(...headers.map(({ recordCount }) => recordCount))).toBeGreaterThan(1000);
    for (const { timestampMs, key } of records) {
      expect(timestampMs).toBeGreaterThanOrEqual(before);
      expect(timestampMs).toBeLessThanOrEqual(Date.now());
      expect(key).toBeNull();
    }
  });

  test('keys, headers and nulls', async () => {
    const topic = await freshTopic({ partitions: 1 });
    const properties = ['parse.headers=true', 'parse.key=true', 'null.marker=NULL'];
    await kafkaTool(
      'org.apache.kafka.tools.ConsoleProducer',
      [
        `--bootstrap-server=${sharedStack().bootstrap.join(',')}`,
        `--topic=${topic}`,
        ...properties.map((property) => `--property=${property}`),
      ],
      { stdin: 'a:1,été:2\tkey\tvalue\nNULL\tNULL\tNULL\nb:\t\t\n' },
    );
    const { records } = await readTopic(topic);
    const empty = Buffer.alloc(0);
    const first = [
      { key: 'a', value: Buffer.from('1') },
      { key: 'été', value: Buffer.from('2') },
    ];
    expect(records).toMatchObject([
      { key: Buffer.from('key'), value: Buffer.from('value'), headers: first },
      { key: null, value: null, headers: [] },
      { key: empty, value: empty, headers: [{ key: 'b', value: empty }] },
    ]);
  });
});

describe('kafkajs', () => {
  const TYPES = {
    none: CompressionTypes.None,
    gzip: CompressionTypes.GZIP,
    snappy: CompressionTypes.Snappy,
    lz4: CompressionTypes.LZ4,
    zstd: CompressionTypes.ZSTD,
  };

  test.each(CODECS)('%s', async (codec) => {
    installKafkajsCodecs();
    const topic = await freshTopic({ partitions: 1 });
    const brokers = [...sharedStack().bootstrap];
    const producer = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).producer();
    await producer.connect();
    const messages = LINES.map((line, i) => ({
      key: i % 2 === 0 ? String(i) : null,
      value: line,
      timestamp: String(TIME + i),
      headers: i % 3 === 0 ? { index: String(i) } : {},
    }));
    try {
      await producer.send({ topic, messages, compression: TYPES[codec] });
    } finally {
      await producer.disconnect();
    }
    const { headers, records } = await readTopic(topic);
    expect(headers.map((header) => header.codec)).toEqual([codec]);
    const read = records.map(({ timestampMs, key, value, headers: list }) => ({
      key: key === null ? null : String(key),
      value: String(value),
      timestamp: String(timestampMs),
      headers: Object.fromEntries(list.map((header) => [header.key, String(header.value)])),
    }));
    expect(read).toEqual(messages);
  });
});
