import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { EncodedPart, EncodeJob } from '../../../../agent/batch/encode-batches.ts';
import { encodeQueue } from '../../../../agent/batch/encode-queue.ts';
import type { pooledEncoder } from '../../../../agent/batch/encoder.ts';
import { sharedBuffers } from '../../../../shared/shared-buffers.ts';
import { garbageCollector } from '../../../../shared/collect-garbage.ts';
import { deferred } from '../../../../shared/deferred.ts';
import { projectRoot } from '../../../../scripts/stack/project-root.ts';

/** Worker threads run what is built, so the pool is taken from there too. */
async function setUp(threads: number) {
  const built: { pooledEncoder: typeof pooledEncoder } = await import(
    join(projectRoot(), 'dist', 'agent', 'batch', 'encoder.js')
  );
  const time = { ms: 0 };
  const encoder = await built.pooledEncoder(threads, { monotonicMs: () => time.ms });
  onTestFinished(() => encoder.close());
  return { time, ...encoder };
}

function job(text: string): EncodeJob {
  const bytes = new Uint8Array(Buffer.from(text));
  const segment = {
    bytes,
    start: 0,
    end: bytes.length,
    terminated: true,
    skipRest: false,
    fileId: 'f',
    fileOffset: 0,
  };
  const options = { timestampMs: 0, codec: 'none', maxRecordBytes: 1 << 21, oversize: 'split' } as const;
  return { segments: [segment], maxBatchBytes: 1 << 22, options: { ...options, host: 'h', pipeline: 'p' } };
}

test('the jobs of thousands of pipelines wait in line, and none is refused', async () => {
  const encoder = await setUp(2);
  const parts = await Promise.all(Array.from({ length: 6_000 }, (_, n) => encoder.encode(job(`${n}\n`))));
  expect(parts.every(([part]) => part?.records === 1)).toBe(true);
});

test('threads that finish nothing for two minutes hang; those that have nothing to do do not', async () => {
  const encoder = await setUp(1);
  encoder.time.ms = 600_000;
  expect(encoder.wedged()).toBeUndefined();
  const jobs = [encoder.encode(job('line\n')), encoder.encode(job('line\n'))];
  encoder.time.ms += 119_999;
  expect(encoder.wedged()).toBeUndefined();
  encoder.time.ms += 1;
  expect(encoder.wedged()).toBe('no batch has been encoded for 120 s, and 2 wait for it');
  await Promise.all(jobs);
  expect(encoder.wedged()).toBeUndefined();
});

test('a shared read buffer is lent to the thread and given back when the batch is there', async () => {
  const encoder = await setUp(1);
  const buffers = sharedBuffers(1 << 24);
  const taken = deferred<EncodedPart[]>();
  const queue = encodeQueue({
    encoder,
    buffers,
    batchBytes: () => 0,
    maxAhead: 1,
    take: (parts) => Promise.resolve(taken.resolve(parts)),
    onLength: () => {},
  });
  const text = 'a line of some length\n'.repeat(10_000);
  const lent = buffers.take(text.length);
  lent.write(text);
  const [own, shared] = [job(text), job(text)];
  shared.segments[0]!.bytes = lent;
  await queue.add(shared, undefined);
  const other = buffers.take(text.length);
  expect(other.buffer).not.toBe(lent.buffer);
  const [expected, parts] = [await encoder.encode(own), await taken.promise];
  expect(parts).toEqual(expected);
  expect(buffers.take(text.length).buffer).toBe(lent.buffer);
});

test('a thread writes a batch into shared memory, which is used again when the batch is given back', async () => {
  const encoder = await setUp(1);
  const buffers = sharedBuffers(1 << 24);
  const batches: Uint8Array[] = [];
  const queue = encodeQueue({
    encoder,
    buffers,
    batchBytes: (textBytes) => 2 * textBytes,
    maxAhead: 1,
    take: (parts) => Promise.resolve(void batches.push(parts[0]!.batch)),
    onLength: () => {},
  });
  const texts = ['first', 'second', 'third'].map((word) => `${word} line\n`.repeat(10_000));
  const expected = await Promise.all(texts.map(async (text) => (await encoder.encode(job(text)))[0]!.batch));
  for (const text of texts.slice(0, 2)) await queue.add(job(text), undefined);
  await queue.drained();
  expect(batches.map((batch, i) => Buffer.compare(batch, expected[i]!))).toEqual([0, 0]);
  expect(batches[0]!.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(batches[1]!.buffer).not.toBe(batches[0]!.buffer);
  buffers.giveBack(batches[0]!);
  await queue.add(job(texts[2]!), undefined);
  await queue.drained();
  expect(batches[2]!.buffer).toBe(batches[0]!.buffer);
  expect(Buffer.compare(batches[1]!, expected[1]!) + Buffer.compare(batches[2]!, expected[2]!)).toBe(0);
});

test('a batch that came out larger than expected has memory of its own, and what was held for it is free', async () => {
  const encoder = await setUp(1);
  const buffers = sharedBuffers(1 << 24, 1 << 10);
  const batches: Uint8Array[] = [];
  const queue = encodeQueue({
    encoder,
    buffers,
    batchBytes: () => 1 << 10,
    maxAhead: 1,
    take: (parts) => Promise.resolve(void batches.push(parts[0]!.batch)),
    onLength: () => {},
  });
  const before = buffers.take(1 << 10);
  buffers.giveBack(before);
  await queue.add(job('a line\n'.repeat(1_000)), undefined);
  await queue.drained();
  expect(batches[0]!.buffer).toBeInstanceOf(ArrayBuffer);
  expect(buffers.take(1 << 10).buffer).toBe(before.buffer);
});

test('what the codec needs for a batch is free again while batch follows batch', async () => {
  const encoder = await setUp(1);
  const text = `${randomBytes(768 * 1024).toString('base64')}\n`; // a mebibyte that lz4 makes nothing of
  const collectGarbage = garbageCollector();
  const batches = async (count: number): Promise<number> => {
    const next = async (left: number): Promise<void> => {
      if (left <= 0) return;
      const lz4 = job(text);
      lz4.options.codec = 'lz4';
      await encoder.encode(lz4);
      await next(left - 2);
    };
    await Promise.all([next(count), next(count - 1)]); // the thread never waits for the next one
    collectGarbage();
    return process.memoryUsage.rss();
  };
  const before = await batches(100);
  expect((await batches(400)) - before).toBeLessThan(200 * 1024 ** 2);
});
