/** Logs of brokers whose offsets have gaps, in chunks as small as a batch. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Message, Producer, Transaction } from 'kafkajs';
import { expect, it } from 'vitest';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { carryAll, startCarrying } from './carry-all.ts';
import { kafka, transactionalProducer } from './transporter-files.ts';

const TIMEOUT_MS = 90_000;
const VALUE_BYTES = 12_000;
/** Each batch is in a segment of its own, because its records are so much younger than those before. */
const SEGMENT_MS = 5_000;
const FIRST_TIME_MS = Date.now() - 1_800_000;
/** An answer is one batch, however large (KIP-74), and a chunk is some of them. */
const SMALL_CHUNKS = {
  chunk: ['maxBytes: 64KiB', 'maxAgeMs: 1s'],
  settings: ['fetch:', '  maxPartitionBytes: 16KiB'],
};

const timeOf = (batch: number): string => String(FIRST_TIME_MS + batch * 2 * SEGMENT_MS);
const large = (text: string): string => text.padEnd(VALUE_BYTES, '.');

interface Seen {
  offset: number;
  key: string | null;
  value: string | null;
}

/** Padding away, so that a difference can be read. */
const brief = (records: readonly Seen[]): string[] =>
  records.map(({ offset, key, value }) => `${offset} ${key} ${(value ?? 'null').replace(/\.+$/, '')}`);

/** The committed records of a topic as Apache's console consumer shows them, of which there are `count`. */
async function consoleView(topic: string, count: number): Promise<Seen[]> {
  const { stdout } = await kafkaTool(
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    [
      `--bootstrap-server=${sharedStack().bootstrap.join(',')}`,
      `--topic=${topic}`,
      '--from-beginning',
      '--isolation-level=read_committed',
      `--max-messages=${count}`,
      '--timeout-ms=30000',
      '--property=print.offset=true',
      '--property=print.key=true',
      '--property=key.separator=|',
    ],
    { timeoutMs: 120_000 },
  );
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, offset, key, value] = /^Offset:(\d+)\|([^|]*)\|(.*)$/.exec(line) ?? [];
      return { offset: Number(offset), key: key!, value: value! };
    });
}

/** Up to which offset the broker's cleaner has compacted partition 0. */
function cleanedTo(brokerId: number, topic: string): number {
  const path = join(sharedStack().dataDir, `broker-${brokerId}`, 'data', 'cleaner-offset-checkpoint');
  const offset = new RegExp(`^${topic} 0 (\\d+)$`, 'm').exec(readFileSync(path, 'utf8'))?.[1];
  return Number(offset ?? 0);
}

async function sendInTransaction(
  producer: Producer,
  topic: string,
  messages: Message[],
  ending: 'commit' | 'abort',
): Promise<void> {
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages });
  await transaction[ending]();
}

it('a topic was compacted, and ends with a transaction that was aborted: what is left is carried with its offsets', async () => {
  const [broker] = sharedStack().brokers;
  const topic = await freshTopic({
    replicaAssignment: [[broker!.id]],
    settings: {
      'cleanup.policy': 'compact',
      'segment.ms': String(SEGMENT_MS),
      'min.cleanable.dirty.ratio': '0.01',
    },
  });
  // The first and the last record of each batch are written again by the next one, and all of batches 3 and 4 by 5.
  const batches = Array.from({ length: 12 }, (_, batch) => {
    const isWide = batch >= 3 && batch <= 5;
    const middle = Array.from({ length: 6 }, (__, i) =>
      isWide ? `wide ${i}` : i % 2 === 0 ? `shared ${i}` : `own ${batch} ${i}`,
    );
    const values = ['head', ...middle, 'tail'].map((key) => ({ key, value: large(`${key} of ${batch}`) }));
    return batch === 9 ? [...values, { key: 'own 1 1', value: null }] : values; // a tombstone
  });
  const producer = kafka().producer();
  await producer.connect();
  for (const [batch, messages] of batches.entries()) {
    const timestamp = timeOf(batch);
    await producer.send({ topic, messages: messages.map((message) => ({ ...message, timestamp })) });
  }
  await producer.disconnect();
  const transactional = await transactionalProducer();
  await sendInTransaction(transactional, topic, [{ key: 'kept', value: large('kept') }], 'commit');
  await sendInTransaction(transactional, topic, [{ key: 'dropped', value: large('dropped') }], 'abort');
  await transactional.disconnect();

  const compactedEnd = batches.flat().length;
  await waitFor(() => cleanedTo(broker!.id, topic) >= compactedEnd, {
    timeoutMs: TIMEOUT_MS,
    what: 'the cleaner has been there',
  });
  const keys = new Set(batches.flat().map(({ key }) => key));
  const expected = await consoleView(topic, keys.size + 1);
  expect(new Set(expected.map(({ key }) => key))).toEqual(new Set([...keys, 'kept']));
  const { records, chunkStarts } = await carryAll(topic, { rack: broker!.rack, ...SMALL_CHUNKS });
  expect(brief(records)).toEqual(brief(expected));
  const left = new Set(expected.map(({ offset }) => offset));
  const inGaps = chunkStarts.filter((start) => start > 0 && !left.has(start));
  expect(inGaps).not.toEqual([]);
});

it('transactions of three producers, interleaved over segments and chunks: what a consumer of committed records sees is carried', async () => {
  const [broker] = sharedStack().brokers;
  const topic = await freshTopic({
    replicaAssignment: [[broker!.id]],
    settings: { 'segment.ms': String(SEGMENT_MS) },
  });
  const producers = await Promise.all([0, 1, 2].map(transactionalProducer));
  // How many batches a transaction of each has, and how they end: one lasts throughout, with all the others in it.
  const plans = [
    { length: 24, endings: ['abort'] },
    { length: 4, endings: ['commit', 'abort'] },
    { length: 12, endings: ['abort', 'commit'] },
  ] as const;
  const open = new Map<number, Transaction>();
  let committed = 0;
  for (let batch = 0; batch < 24; batch += 1) {
    for (const [i, producer] of producers.entries()) {
      const { length, endings } = plans[i]!;
      const transaction = open.get(i) ?? (await producer.transaction());
      open.set(i, transaction);
      const key = `${i} ${batch}`;
      const timestamp = timeOf(batch);
      await transaction.send({ topic, messages: [{ key, value: large(key), timestamp }] });
      if ((batch + 1) % length > 0) continue;
      const ending = endings[Math.floor(batch / length) % endings.length]!;
      await transaction[ending]();
      open.delete(i);
      if (ending === 'commit') committed += length;
    }
  }
  for (const producer of producers) await producer.disconnect();
  const expected = await consoleView(topic, committed);
  const { records, chunkStarts } = await carryAll(topic, { rack: broker!.rack, ...SMALL_CHUNKS });
  expect(brief(records)).toEqual(brief(expected));
  expect(records).toHaveLength(committed);
  expect(chunkStarts.length).toBeGreaterThan(1);
});

it('a transaction stays open: what is before it is carried, a metric says so, and the rest is carried when it ends', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const [plain, transactional] = [kafka().producer(), await transactionalProducer()];
  await plain.connect();
  await plain.send({ topic, messages: [{ value: 'before' }] });
  const transaction = await transactional.transaction();
  await transaction.send({ topic, messages: [{ value: 'inside' }] });
  await plain.send({ topic, messages: [{ value: 'behind' }] });

  const carrying = await startCarrying(topic);
  const openSeconds = async (): Promise<number> => {
    const series = /^skald_transporter_open_transaction_seconds\{.*\} (.*)$/m;
    return Number(series.exec(await carrying.metrics())?.[1]);
  };
  const values = async () => (await carrying.stored()).records.map(({ value }) => value);
  const soon = (what: string) => ({ timeoutMs: TIMEOUT_MS, what });
  await waitFor(
    async () => (await openSeconds()) > 0 && (await values()).length > 0,
    soon('one record is stored, and two wait'),
  );
  expect(await values()).toEqual(['before']);
  await transaction.commit(); // the broker writes its marker a moment later
  await waitFor(async () => (await values()).length > 1, soon('the transaction has ended'));
  await carrying.isDone();
  expect(await values()).toEqual(['before', 'inside', 'behind']);
  await waitFor(async () => (await openSeconds()) === 0, soon('no transaction is open'));
  await Promise.all([plain.disconnect(), transactional.disconnect()]);
});
