/** A bit of an answer turns on its way from the broker, once: the answers that follow are right. */
import { expect, it } from 'vitest';
import { z } from 'zod';
import { isSkaldError } from '../../../../shared/errors.ts';
import type { FetchedPartition } from '../../../../shared/kafka/requests/fetch.ts';
import { encodeRecordBatch } from '../../../../shared/wire/encode-records.ts';
import { ATTRIBUTES_AT, sealBatch } from '../../../../shared/wire/record-batch.ts';
import { createGatherer, type Gatherer } from '../../../../transporter/chunk/gatherer.ts';
import { inlineDecoder } from '../../../../transporter/decode/decoder.ts';
import { createLeaderEpochs } from '../../../../transporter/fetch/leader-epochs.ts';
import { createMemoryBudget } from '../../../../transporter/memory-budget.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';

const NOON = Date.parse('2026-07-31T12:00:00Z');
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** More answers than any of it needs. */
const MAX_ANSWERS = 20;

const layout = {
  prefix: 'logs',
  template: '{topic}/{yyyy}{mm}{dd}{hh}/{partition}-{firstOffset}',
  bucket: 'hour',
  timeZone: 'UTC',
  time: { type: 'timestamp' },
  format: 'jsonl',
  columns: [],
  codec: 'none',
} as const;

const recordSchema = z.object({ offset: z.number(), value: z.string() });

interface LoggedBatch {
  offsets: number[];
  bytes: Buffer;
  isCarried: boolean;
}

/** Counts of which one bit makes none, transactions that overlap, an aborted one, and one of the same producer behind it. */
async function makeLog(): Promise<LoggedBatch[]> {
  const aborted = { isCarried: false, producerId: 7, attributes: TRANSACTIONAL };
  const marker = { ...aborted, attributes: TRANSACTIONAL | CONTROL };
  const batches: { count: number; producerId?: number; attributes?: number; isCarried?: boolean }[] = [
    { count: 1 },
    { count: 2, ...aborted },
    { count: 4, producerId: 3, attributes: TRANSACTIONAL },
    { count: 1, ...marker },
    { count: 2, producerId: 7, attributes: TRANSACTIONAL },
    { count: 1, ...marker },
    { count: 1, ...marker, producerId: 3 },
    { count: 2 },
  ];
  const log: LoggedBatch[] = [];
  let next = 100;
  for (const { count, producerId = -1, attributes = 0, isCarried = true } of batches) {
    const offsets = Array.from({ length: count }, (_, i) => next + i);
    const records = offsets.map((offset) => ({ value: Buffer.from(`v${offset}`), timestampMs: NOON }));
    const bytes = Buffer.from(await encodeRecordBatch(records, { codec: 'none' }));
    bytes.writeInt16BE(attributes, ATTRIBUTES_AT);
    bytes.writeBigInt64BE(BigInt(next), 0);
    sealBatch(bytes, { producerId: BigInt(producerId), producerEpoch: 0, baseSequence: -1 });
    log.push({ offsets, bytes, isCarried });
    next += count;
  }
  return log;
}

/** As a broker answers: from the batch on that has the offset, and with the aborted transactions that have not ended before. */
function answerAt(log: readonly LoggedBatch[], position: number): FetchedPartition {
  const [, firstAborted, , abortMarker] = log;
  const end = log.at(-1)!.offsets.at(-1)! + 1;
  return {
    topic: 'logs',
    partition: 0,
    errorCode: 0,
    highWatermark: end,
    lastStableOffset: end,
    logStartOffset: 0,
    abortedTransactions:
      position > abortMarker!.offsets[0]! ? [] : [{ producerId: 7n, firstOffset: firstAborted!.offsets[0]! }],
    preferredReadReplica: -1,
    records: Buffer.concat(
      log.filter(({ offsets }) => offsets.at(-1)! >= position).map(({ bytes }) => bytes),
    ),
  };
}

function gathererAt(start: number): Gatherer {
  return createGatherer({
    partition: { topic: 'logs', partition: 0 },
    start,
    layout,
    limits: { maxBytes: 1e6, maxAgeMs: 60_000, bucketGraceMs: 5000 },
    decoder: inlineDecoder(),
    account: createMemoryBudget(1 << 30).open(),
    growth: { of: (bytes) => bytes, note: () => {} },
    clock: simClock(NOON),
    epochs: createLeaderEpochs(),
    onProgress: () => {},
    onDecoded: () => {},
  });
}

/** The records of a chunk of the whole log, and how many objects there are, when `turn` befalls the first answer. */
async function carry(log: readonly LoggedBatch[], turn: (records: Buffer) => void) {
  const start = log[0]!.offsets[0]!;
  const first = answerAt(log, start);
  const end = first.highWatermark;
  const gatherer = gathererAt(start);
  turn(Buffer.from(first.records.buffer, first.records.byteOffset, first.records.length));
  try {
    gatherer.take(first);
  } catch (error) {
    if (!isSkaldError(error)) throw error; // the fetcher asks again
  }
  await gatherer.flush();
  for (let answers = 0; answers < MAX_ANSWERS && gatherer.decodedTo < end; answers += 1) {
    gatherer.take(answerAt(log, gatherer.position));
    await gatherer.flush();
  }
  const { objects } = gatherer.cut();
  const lines = objects.flatMap(({ parts }) => Buffer.concat(parts).toString().split('\n').slice(0, -1));
  return { objects: objects.length, records: lines.map((line): unknown => JSON.parse(line)) };
}

it('any bit of any batch or marker: each record comes once with its offset, and nothing goes to the quarantine', async () => {
  const log = await makeLog();
  const expected = log
    .filter(({ isCarried }) => isCarried)
    .flatMap(({ offsets }) => offsets.map((offset) => ({ offset, value: `v${offset}` })));
  const wrong: string[] = [];
  let at = 0;
  for (const [batch, { bytes }] of log.entries()) {
    for (let bit = 0; bit < 8 * bytes.length; bit += 1) {
      const byte = at + (bit >> 3);
      const { objects, records } = await carry(log, (answer) => {
        answer[byte]! ^= 1 << (bit & 7);
      });
      const found = z.array(recordSchema).safeParse(records).data ?? records;
      if (objects === 1 && JSON.stringify(found) === JSON.stringify(expected)) continue;
      wrong.push(`batch ${batch}, byte ${bit >> 3}, bit ${bit & 7}: ${JSON.stringify(found)}`);
    }
    at += bytes.length;
  }
  expect(wrong).toEqual([]);
});
