import { describe, expect, test } from 'vitest';
import type { Intent } from '../../../../agent/checkpoint/entries.ts';
import { holdsAllOf, type OwnBatch } from '../../../../agent/publish/own-batches.ts';
import type { SealedBatch } from '../../../../agent/publish/partition-sender.ts';
import type { OpenBatch } from '../../../../agent/publish/open-batches.ts';
import { settle } from '../../../../agent/publish/settle.ts';
import { readBatchHeader, writeBatchHeader } from '../../../../shared/wire/record-batch.ts';
import { between, seededRandom } from '../../../simulation/support/random.ts';
import { someIntent } from './some-intent.ts';

const PRODUCER = 7n;
const REMEMBERED_BATCHES = 5;

/** Each record is a range of its own, so that any of them can be gone; a record is named by where its range begins. */
function intentOf(n: number, baseSequence: number, records: readonly number[]): Intent {
  const ranges = records.map((record) => ({
    file: 'f',
    start: record,
    end: record + 1,
    terminated: true,
    skipRest: false,
    crc32c: record,
  }));
  return {
    ...someIntent({ n }),
    producerId: PRODUCER,
    producerEpoch: 0,
    baseSequence,
    records: records.length,
    ranges,
  };
}

function sealed(intent: Intent): SealedBatch {
  const bytes = Buffer.alloc(1_000);
  writeBatchHeader(bytes, {
    codec: 'none',
    lastOffsetDelta: intent.records - 1,
    baseTimestampMs: 0,
    maxTimestampMs: 0,
    recordCount: intent.records,
  });
  return { intent, bytes, rawBytes: intent.records, heldBytes: 0 };
}

function recordsOf(intent: Intent): number[] {
  return intent.ranges.map(({ start }) => start);
}

/** A partition by the rules of ProducerAppendInfo and ProducerStateEntry of Apache Kafka 4.1. */
function partition() {
  const log: OwnBatch[] = [];
  const remembered: { base: number; last: number; offset: number }[] = [];
  let end = 0;
  return {
    log,
    get records(): number[] {
      return log.flatMap(({ ranges }) => ranges.map(({ start }) => start));
    },
    /** The offset, or undefined when the sequence is out of order. */
    append: (
      baseSequence: number,
      { records, ranges }: Intent,
      producerId = PRODUCER,
    ): number | undefined => {
      const last = baseSequence + records - 1;
      if (producerId === PRODUCER) {
        const known = remembered.find((one) => one.base === baseSequence && one.last === last);
        if (known !== undefined) return known.offset;
        const before = remembered.at(-1);
        if (before !== undefined && before.last + 1 !== baseSequence) return undefined;
        remembered.push({ base: baseSequence, last, offset: end });
        if (remembered.length > REMEMBERED_BATCHES) remembered.shift();
      }
      const own = ranges.map(({ file, start, end: to, crc32c }) => ({
        fileId: file,
        start,
        end: to,
        crc32c,
        records: 1,
      }));
      log.push({
        partition: 0,
        offset: end,
        producerId,
        baseSequence,
        records,
        slot: undefined,
        ranges: own,
      });
      end += records;
      return end - records;
    },
  };
}

interface Situation {
  /** Records of each open batch. */
  counts: readonly number[];
  /** How many of the records are left, by batch. */
  left: readonly number[];
  /** How many of the batches arrived before the process looked. */
  arrived: number;
}

/**
 * Settles, sends what is missing under another identity, and lets the requests of the dead process arrive at any time, in
 * any order: some between the calls, all of them in the end.
 */
async function play({ counts, left, arrived }: Situation, random: () => number) {
  const broker = partition();
  broker.append(0, intentOf(0, 0, [0])); // the last that was acknowledged
  let next = 1;
  const open = counts.map((count, i): OpenBatch => {
    const records = Array.from({ length: count }, (_, r) => next + r);
    const intent = intentOf(i + 1, next, records);
    next += count;
    if (left[i] === 0) return { intent, left: undefined };
    return {
      intent,
      left: sealed(intentOf(i + 1, intent.baseSequence, records.slice(-left[i]!))),
    };
  });
  const arrives = ({ intent }: OpenBatch): unknown => broker.append(intent.baseSequence, intent);
  const late = (): void => {
    while (random() < 0.4) arrives(open[between(random, 0, open.length - 1)]!);
  };
  const found = (some: readonly OpenBatch[]): Map<number, OwnBatch> => {
    const pairs = some.flatMap(({ intent, left: lines }): [number, OwnBatch][] => {
      const there = broker.log.find((batch) => holdsAllOf(lines?.intent ?? intent, batch));
      return there === undefined ? [] : [[intent.n, there]];
    });
    return new Map(pairs);
  };
  for (const batch of open.slice(0, arrived)) arrives(batch);
  const seen = found(open);
  late();
  const settled = await settle(
    open.filter(({ intent }) => !seen.has(intent.n)),
    {
      judge: (batch) => {
        late();
        const { baseSequence } = readBatchHeader(batch.bytes, { start: 0, end: batch.bytes.length });
        const offset = broker.append(baseSequence, batch.intent);
        late();
        return Promise.resolve(offset === undefined ? 'identity-lost' : { offset, sentMs: 0 });
      },
      lookFor: (some) => {
        late();
        return Promise.resolve({ found: found(some), shortfall: undefined });
      },
      merge: (some) => {
        const { intent } = some[0]!;
        const records = some.flatMap((batch) => recordsOf(batch.intent));
        return Promise.resolve(sealed(intentOf(intent.n, intent.baseSequence, records)));
      },
      onTaken: () => {},
      onFound: () => {},
    },
  );
  for (const { left: lines } of settled.missing) {
    late();
    if (lines !== undefined) broker.append(0, lines.intent, 8n);
  }
  for (let round = 0; round < 3; round += 1) open.forEach(arrives);
  const wanted = open.flatMap((batch) => (batch.left === undefined ? [] : recordsOf(batch.left.intent)));
  return { ...settled, wanted, got: broker.records.filter((record) => wanted.includes(record)) };
}

function draw(random: () => number, most: number): Situation {
  const counts = Array.from({ length: between(random, 1, 5) }, () => between(random, 1, most));
  const left = counts.map((count) =>
    random() < 0.4 ? 0 : random() < 0.5 ? count : between(random, 1, count),
  );
  return { counts, left, arrived: between(random, 0, counts.length) };
}

const SEEDS = 3_000;

describe('lines that are left of open batches, while requests of the dead process arrive at any time', () => {
  test.each([
    { most: 20, unsureShare: 0.01 },
    { most: 3, unsureShare: 0.1 },
  ])(
    'batches of up to $most lines: each once, in order, but for the few of which it is said that they may come twice',
    async ({ most, unsureShare }) => {
      let unsure = 0;
      const wrong: unknown[] = [];
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const random = seededRandom(seed);
        const situation = draw(random, most);
        const { got, wanted, mayCome } = await play(situation, random);
        if (mayCome) unsure += 1;
        const isRight = mayCome
          ? wanted.every((record) => got.includes(record))
          : got.join() === wanted.join();
        if (!isRight) wrong.push({ seed, ...situation, mayCome, wanted, got });
      }
      expect(wrong).toEqual([]);
      expect(unsure).toBeLessThan(SEEDS * unsureShare);
    },
  );
});
