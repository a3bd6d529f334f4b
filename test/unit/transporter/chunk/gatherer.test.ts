import { describe, expect, it } from 'vitest';
import type { FetchedPartition } from '../../../../shared/kafka/requests/fetch.ts';
import { encodeRecordBatch } from '../../../../shared/wire/encode-records.ts';
import { createGatherer } from '../../../../transporter/chunk/gatherer.ts';
import type { Layout } from '../../../../transporter/chunk/layout.ts';
import type { DecodedRange, DecodeJob } from '../../../../transporter/decode/decode-range.ts';
import { type Decoder, inlineDecoder } from '../../../../transporter/decode/decoder.ts';
import { createLeaderEpochs } from '../../../../transporter/fetch/leader-epochs.ts';
import { createMemoryBudget } from '../../../../transporter/memory-budget.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';

const NOON = Date.parse('2026-07-31T12:00:00Z');
const layout = {
  prefix: 'logs',
  template: '{topic}/{yyyy}{mm}{dd}{hh}/{partition}-{firstOffset}',
  bucket: 'hour',
  timeZone: 'UTC',
  time: { type: 'timestamp' },
  format: 'lines',
  columns: [],
  codec: 'none',
} as const;

async function batchAt(base: number, texts: string[], timestampMs = NOON): Promise<Buffer> {
  const records = texts.map((text) => ({ value: Buffer.from(text), timestampMs }));
  const batch = Buffer.from(await encodeRecordBatch(records, { codec: 'none' }));
  batch.writeBigInt64BE(BigInt(base), 0);
  return batch;
}

function answer(...batches: Buffer[]): FetchedPartition {
  return {
    topic: 'logs',
    partition: 0,
    errorCode: 0,
    highWatermark: 1_000_000,
    lastStableOffset: 1_000_000,
    logStartOffset: 0,
    abortedTransactions: [],
    preferredReadReplica: -1,
    records: Buffer.concat(batches),
  };
}

function stage(options: { start?: number; end?: number; decoder?: Decoder; layout?: Layout } = {}) {
  const clock = simClock(NOON);
  const budget = createMemoryBudget(1 << 30);
  const account = budget.open();
  const decoded: DecodedRange[] = [];
  const gatherer = createGatherer({
    partition: { topic: 'logs', partition: 0 },
    start: options.start ?? 0,
    ...(options.end !== undefined && { end: options.end }),
    layout: options.layout ?? layout,
    limits: { maxBytes: 1000, maxAgeMs: 60_000, bucketGraceMs: 5000 },
    epochs: createLeaderEpochs(),
    decoder: options.decoder ?? inlineDecoder(),
    account,
    growth: { of: (bytes) => 2 * bytes, note: () => {} },
    clock,
    onProgress: () => {},
    onDecoded: (range) => decoded.push(range),
  });
  return { clock, account, gatherer, decoded };
}

/** A decoder whose jobs end when the test says so, in any order. */
function slowDecoder() {
  const jobs: { job: DecodeJob; finish: () => Promise<void> }[] = [];
  const inline = inlineDecoder();
  const decoder: Decoder = {
    decode: (job) =>
      new Promise((resolve) => {
        const finish = async (): Promise<void> => resolve(await inline.decode(job));
        jobs.push({ job, finish });
      }),
    close: () => Promise.resolve(),
  };
  return { decoder, jobs };
}

const textOf = (chunk: { objects: { parts: Uint8Array[] }[] }): string[] =>
  chunk.objects.map(({ parts }) => Buffer.concat(parts).toString());

describe('createGatherer', () => {
  it('keeps what came compressed until it is asked for it, and gives it as one frame', async () => {
    const { decoder, jobs } = slowDecoder();
    const { gatherer, account, decoded } = stage({ decoder });
    const batches = [await batchAt(0, ['a', 'b']), await batchAt(2, ['c'])];
    for (const batch of batches) gatherer.take(answer(batch));
    expect(jobs).toHaveLength(0);
    expect(gatherer.position).toBe(3);
    // Fetched, and what is expected of them.
    expect(account.usedBytes).toBe(3 * Buffer.concat(batches).length);
    const flushed = gatherer.flush();
    await jobs[0]!.finish();
    await flushed;
    expect(jobs).toHaveLength(1);
    expect(decoded[0]!.frames).toHaveLength(1);
    const chunk = gatherer.cut();
    expect(chunk).toMatchObject({ start: 0, end: 3 });
    expect(textOf(chunk)).toEqual(['a\nb\nc\n']);
    expect(account.usedBytes).toBe(chunk.objectBytes);
  });

  it('starts to decode by itself when a mebibyte is there', async () => {
    const { decoder, jobs } = slowDecoder();
    const { gatherer } = stage({ decoder });
    const half = 'x'.repeat(600 * 1024);
    gatherer.take(answer(await batchAt(0, [half])));
    expect(jobs).toHaveLength(0);
    gatherer.take(answer(await batchAt(1, [half])));
    expect(jobs.map(({ job }) => [job.fromOffset, job.toOffset])).toEqual([[0, 2]]);
  });

  it('puts decoded ranges in the order of their offsets, whichever is ready first', async () => {
    const { decoder, jobs } = slowDecoder();
    const { gatherer } = stage({ decoder });
    const large = (letter: string): string => letter.repeat(1024 * 1024);
    for (const [i, letter] of ['a', 'b', 'c'].entries())
      gatherer.take(answer(await batchAt(i, [large(letter)])));
    expect(jobs).toHaveLength(3);
    for (const i of [2, 1]) await jobs[i]!.finish();
    expect(gatherer.decodedTo).toBe(0);
    const flushed = gatherer.flush();
    await jobs[0]!.finish();
    await flushed;
    expect(gatherer.decodedTo).toBe(3);
    expect(textOf(gatherer.cut())[0]!.replace(/(.)\1+/g, '$1')).toBe('a\nb\nc\n');
  });

  it('cuts at what is decoded, and what is not yet goes into the next chunk', async () => {
    const { decoder, jobs } = slowDecoder();
    const { gatherer, clock } = stage({ decoder });
    gatherer.take(answer(await batchAt(0, ['a'])));
    const flushed = gatherer.flush();
    await clock.advance(1000);
    gatherer.take(answer(await batchAt(1, ['b'])));
    await jobs[0]!.finish();
    await flushed;
    expect(textOf(gatherer.cut())).toEqual(['a\n']);
    expect(gatherer.facts).toMatchObject({ buckets: 0, openedAtMs: NOON + 1000 });
    const rest = gatherer.flush();
    await jobs[1]!.finish();
    await rest;
    expect(gatherer.cut()).toMatchObject({ start: 1, end: 2 });
    expect(gatherer.facts).toBeUndefined();
  });

  it.each([
    ['during the grace of the hour before: at the end of that one', 4999, NOON],
    ['afterwards: an hour later', 5000, NOON + 3_600_000],
  ])('is to be cut, when it is opened %s', async (_, sinceNoonMs, bucketEndMs) => {
    const { gatherer, clock } = stage();
    await clock.advance(sinceNoonMs);
    expect(gatherer.facts).toBeUndefined();
    // Whatever the times of its records are: clocks of producers can be wrong by days.
    gatherer.take(answer(await batchAt(0, ['tomorrow'], NOON + 86_400_000)));
    gatherer.take(answer(await batchAt(1, ['yesterday'], NOON - 86_400_000)));
    expect(gatherer.facts).toMatchObject({ openedAtMs: NOON + sinceNoonMs, bucketEndMs });
  });

  it('looks twice at a batch that cannot be decoded, and takes it when the second look is good', async () => {
    const { gatherer, account, decoded } = stage();
    const good = [await batchAt(0, ['a']), await batchAt(1, ['b']), await batchAt(2, ['c'])];
    const damaged = Buffer.from(good[1]!);
    damaged[damaged.length - 1]! ^= 1;
    gatherer.take(answer(good[0]!, damaged, good[2]!));
    await gatherer.flush();
    expect([gatherer.position, gatherer.decodedTo, gatherer.isSecondLook]).toEqual([0, 0, true]);
    expect([account.usedBytes, decoded]).toEqual([0, []]);
    gatherer.take(answer(...good));
    await gatherer.flush();
    expect(gatherer.isSecondLook).toBe(false);
    expect(textOf(gatherer.cut())).toEqual(['a\nb\nc\n']);
  });

  it('believes a broker that sends what lies behind us when it does so twice', async () => {
    const { gatherer } = stage({ start: 1 });
    const sent = answer(await batchAt(0, ['a']), await batchAt(1, ['b']));
    gatherer.take(sent);
    expect([gatherer.position, gatherer.isSecondLook]).toEqual([1, true]);
    gatherer.take(sent);
    expect([gatherer.position, gatherer.isSecondLook]).toEqual([2, false]);
    await gatherer.flush();
    expect(textOf(gatherer.cut())).toEqual(['b\n']);
  });

  it('believes the second look, puts the batch into quarantine and goes on', async () => {
    const { gatherer, account } = stage();
    const [before, damaged, after] = [
      await batchAt(0, ['a']),
      await batchAt(1, ['b']),
      await batchAt(2, ['c']),
    ];
    damaged[damaged.length - 1]! ^= 1;
    gatherer.take(answer(before, damaged, after));
    await gatherer.flush();
    // The second answer is divided in another way.
    gatherer.take(answer(before));
    await gatherer.flush();
    expect([gatherer.decodedTo, gatherer.isSecondLook]).toEqual([1, true]);
    gatherer.take(answer(damaged, after));
    await gatherer.flush();
    const chunk = gatherer.cut();
    expect(chunk).toMatchObject({ start: 0, end: 3, records: 2 });
    expect(chunk.objects.map(({ name }) => name)).toEqual([
      'logs/2026073112/0-0',
      'logs/quarantine/logs/0-0.jsonl',
    ]);
    expect(textOf(chunk)[1]).toContain(`"batchBase64":"${damaged.toString('base64')}"`);
    expect(account.usedBytes).toBe(chunk.objectBytes);
  });

  it('forgets what was on its way behind a damaged batch', async () => {
    const { decoder, jobs } = slowDecoder();
    const { gatherer, account } = stage({ decoder });
    const large = await batchAt(0, ['x'.repeat(1024 * 1024)]);
    const behind = await batchAt(1, ['y'.repeat(1024 * 1024)]);
    const damaged = Buffer.from(large);
    damaged[damaged.length - 1]! ^= 1;
    gatherer.take(answer(damaged));
    gatherer.take(answer(behind));
    const flushed = gatherer.flush();
    for (const { finish } of jobs.splice(0)) await finish();
    await flushed;
    expect([gatherer.position, gatherer.decodedTo, account.usedBytes]).toEqual([0, 0, 0]);
    gatherer.take(answer(large));
    gatherer.take(answer(behind));
    const again = gatherer.flush();
    for (const { finish } of jobs.splice(0)) await finish();
    await again;
    expect(gatherer.cut()).toMatchObject({ start: 0, end: 2, records: 2 });
  });

  it('ends a replay exactly where it has to, and goes over offsets that are gone', async () => {
    const { gatherer } = stage({ start: 5, end: 9 });
    gatherer.take(answer(await batchAt(5, ['a', 'b'])));
    gatherer.skipTo(8);
    gatherer.take(answer(await batchAt(8, ['c', 'not of this chunk'])));
    expect(gatherer.position).toBe(9);
    await gatherer.flush();
    const chunk = gatherer.cut();
    expect(chunk).toMatchObject({ start: 5, end: 9, records: 3 });
    expect(textOf(chunk)).toEqual(['a\nb\nc\n']);
  });

  it.each(['lines', 'jsonl', 'parquet'] as const)(
    'takes no more than a chunk of buckets from records of all times, and the rest after the cut (%s)',
    async (format) => {
      const time = {
        type: 'json',
        field: 'at',
        format: 'unix-s',
        timeZone: 'UTC',
        otherwise: 'quarantine',
      } as const;
      const { gatherer, account } = stage({ layout: { ...layout, time, format } });
      const batch = await batchAt(
        0,
        Array.from({ length: 150 }, (_, i) => JSON.stringify({ at: i * 3600 })),
      );
      const taken: [number, number, number][] = [];
      while (gatherer.position < 150) {
        gatherer.take(answer(batch));
        await gatherer.flush();
        const { start, end, objects } = gatherer.cut();
        taken.push([start, end, objects.length]);
        account.add(-objects.reduce((sum, { bytes }) => sum + bytes, 0));
      }
      expect(taken).toEqual([
        [0, 65, 65],
        [65, 130, 65],
        [130, 150, 20],
      ]);
      expect(account.usedBytes).toBe(0);
    },
  );

  it('counts the footer of a Parquet object in the budget from the cut on', async () => {
    const { gatherer, account } = stage({ layout: { ...layout, format: 'parquet' } });
    gatherer.take(answer(await batchAt(0, ['a'])));
    await gatherer.flush();
    const gathered = account.usedBytes;
    const chunk = gatherer.cut();
    expect(chunk.objectBytes).toBe(chunk.objects[0]!.bytes);
    expect(chunk.objectBytes).toBeGreaterThan(gathered);
    expect(account.usedBytes).toBe(chunk.objectBytes);
  });

  it('puts records that its layout refuses into one object of the quarantine, and goes on', async () => {
    const time = {
      type: 'json',
      field: 'at',
      format: 'iso',
      timeZone: 'UTC',
      otherwise: 'quarantine',
    } as const;
    const { gatherer, account } = stage({ layout: { ...layout, time } });
    const good = '{"at":"2026-07-31T12:00:00Z"}';
    gatherer.take(answer(await batchAt(5, ['bad', good, 'bad'])));
    await gatherer.flush();
    gatherer.take(answer(await batchAt(8, ['worse'])));
    await gatherer.flush();
    const chunk = gatherer.cut();
    expect(chunk.objects.map(({ name, records }) => [name, records])).toEqual([
      ['logs/2026073112/0-0', 1],
      ['logs/quarantine/logs/0-0.jsonl', 0],
    ]);
    expect(textOf(chunk)[1]!.split('\n')).toHaveLength(4);
    expect(account.usedBytes).toBe(chunk.objectBytes);
  });

  it('passes on that decoding itself broke down', async () => {
    const decoder: Decoder = {
      decode: () => Promise.reject(new Error('the thread is gone')),
      close: () => Promise.resolve(),
    };
    const { gatherer } = stage({ decoder });
    gatherer.take(answer(await batchAt(0, ['a'])));
    await expect(gatherer.flush()).rejects.toThrow('the thread is gone');
  });

  it('is done with a replay when the rest of it was compacted away, once a second answer says so', async () => {
    const { gatherer } = stage({ start: 0, end: 10 });
    const left = answer(await batchAt(0, ['a', 'b']), await batchAt(12, ['behind']));
    gatherer.take(left);
    expect([gatherer.position, gatherer.isSecondLook]).toEqual([2, true]);
    gatherer.take(answer(await batchAt(12, ['behind'])));
    expect([gatherer.position, gatherer.isSecondLook]).toEqual([10, false]);
    await gatherer.flush();
    expect(gatherer.cut()).toMatchObject({ start: 0, end: 10, records: 2 });
  });

  it('does not believe one answer that jumps over the rest of a replay: nothing protects the offset of a batch', async () => {
    const { gatherer } = stage({ start: 0, end: 4 });
    const turned = await batchAt(0, ['a', 'b']);
    turned.writeBigInt64BE(64n, 0);
    gatherer.take(answer(turned));
    expect(gatherer.position).toBe(0);
    gatherer.take(answer(await batchAt(0, ['a', 'b']), await batchAt(2, ['c', 'd'])));
    await gatherer.flush();
    expect(gatherer.cut()).toMatchObject({ start: 0, end: 4, records: 4 });
  });

  it('carries nothing of what it was told to skip, when the next batch begins in it', async () => {
    const { gatherer } = stage();
    gatherer.skipTo(3);
    gatherer.take(answer(await batchAt(0, ['a', 'b', 'c', 'd', 'e'])));
    await gatherer.flush();
    expect(textOf(gatherer.cut())).toEqual(['d\ne\n']);
  });
});
