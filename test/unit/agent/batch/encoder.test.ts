import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { EncodeJob } from '../../../../agent/batch/encode-batches.ts';
import type { pooledEncoder } from '../../../../agent/batch/encoder.ts';
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
  const options = { timestampMs: 0, codec: 'none', maxRecordBytes: 1_000, oversize: 'split' } as const;
  return { segments: [segment], maxBatchBytes: 1 << 20, options: { ...options, host: 'h', pipeline: 'p' } };
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
