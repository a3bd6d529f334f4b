import { describe, expect, test } from 'vitest';
import type { EncodedPart, EncodeJob } from '../../../../agent/batch/encode-batches.ts';
import { fairEncoder } from '../../../../agent/batch/fair-encoder.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';

/** A job that takes as many milliseconds as its name ends with, such as `slow-1000`. */
function job(name: string): EncodeJob {
  const options = { timestampMs: 0, codec: 'none', maxRecordBytes: 1, oversize: 'split' } as const;
  return { segments: [], maxBatchBytes: 1, options: { ...options, host: 'h', pipeline: name } };
}

function setUp(threads: number) {
  const clock = simClock(0);
  const order: string[] = [];
  let running = 0;
  let mostRunning = 0;
  const pool = {
    encode: async ({ options: { pipeline } }: EncodeJob): Promise<EncodedPart[]> => {
      order.push(pipeline);
      running += 1;
      mostRunning = Math.max(mostRunning, running);
      await clock.sleep(Number(pipeline.split('-')[1]));
      running -= 1;
      if (pipeline.startsWith('broken')) throw new Error('not encoded');
      return [];
    },
  };
  const encoder = fairEncoder(pool, threads, clock);
  /** A pipeline that always has three jobs under way, as one with a backlog has; counts those that are done. */
  const busy = (name: string): { done: number } => {
    const share = encoder.share();
    const count = { done: 0 };
    const goOn = async (): Promise<void> => {
      await share.encode(job(name));
      count.done += 1;
      await goOn();
    };
    for (let n = 0; n < 3; n += 1) void goOn();
    return count;
  };
  return { clock, order, encoder, busy, mostRunning: () => mostRunning };
}

describe('the time of the threads', () => {
  test('a pipeline whose jobs take a second leaves another, whose jobs take three milliseconds, half of it', async () => {
    const w = setUp(1);
    const [slow, quick] = [w.busy('slow-1000'), w.busy('quick-3')];
    await w.clock.advance(60_000);
    expect(slow.done * 1_000).toBeGreaterThan(28_000);
    expect(quick.done * 3).toBeGreaterThan(28_000);
  });

  test('is shared equally by many, on several threads', async () => {
    const w = setUp(4);
    const names = Array.from({ length: 10 }, (_, n) => `p${n}-${10 + n * 20}`);
    const done = names.map((name) => w.busy(name));
    await w.clock.advance(60_000);
    const usedMs = done.map((count, n) => count.done * (10 + n * 20));
    expect(Math.min(...usedMs)).toBeGreaterThan(0.9 * Math.max(...usedMs));
    expect(w.mostRunning()).toBe(4);
  });

  test('is all for one pipeline while the others have nothing to do, and none of that is held against it', async () => {
    const w = setUp(1);
    const first = w.busy('first-10');
    await w.clock.advance(30_000);
    expect(first.done).toBeGreaterThan(2_990);
    const second = w.busy('second-10');
    await w.clock.advance(10_000);
    expect(first.done).toBeGreaterThan(2_990 + 490);
    expect(second.done).toBeGreaterThan(490);
  });
});

test('jobs of one pipeline go out in their order', async () => {
  const w = setUp(1);
  const share = w.encoder.share();
  const names = ['a-5', 'b-1', 'c-3'];
  const all = Promise.all(names.map((name) => share.encode(job(name))));
  await w.clock.advance(100);
  await all;
  expect(w.order).toEqual(names);
});

test('a job that fails fails alone', async () => {
  const w = setUp(1);
  const share = w.encoder.share();
  const broken = share.encode(job('broken-5')).catch((error: unknown) => String(error));
  const fine = share.encode(job('fine-5'));
  await w.clock.advance(100);
  expect([await broken, await fine]).toEqual(['Error: not encoded', []]);
});
