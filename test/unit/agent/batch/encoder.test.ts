import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { EncodedPart, EncodeJob } from '../../../../agent/batch/encode-batches.ts';
import { encodeQueue } from '../../../../agent/batch/encode-queue.ts';
import type { pooledEncoder } from '../../../../agent/batch/encoder.ts';
import { readBuffers } from '../../../../agent/batch/read-buffers.ts';
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
  const buffers = readBuffers(1 << 24);
  const taken = deferred<EncodedPart[]>();
  const queue = encodeQueue({
    encoder,
    buffers,
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

test('what the codec needs for a batch is free again while batch follows batch', async () => {
  const encoder = await setUp(1);
  const text = `${randomBytes(768 * 1024).toString('base64')}\n`; // a mebibyte that lz4 makes nothing of
  const garbage = garbageCollector();
  const batches = async (count: number): Promise<number> => {
    const next = async (left: number): Promise<void> => {
      if (left <= 0) return;
      const lz4 = job(text);
      lz4.options.codec = 'lz4';
      await encoder.encode(lz4);
      await next(left - 2);
    };
    await Promise.all([next(count), next(count - 1)]); // the thread never waits for the next one
    garbage.all();
    return process.memoryUsage.rss();
  };
  const before = await batches(100);
  expect((await batches(400)) - before).toBeLessThan(200 * 1024 ** 2);
});
