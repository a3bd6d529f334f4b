import { describe, expect, test } from 'vitest';
import type { EncodedPart, EncodeJob } from '../../../../agent/batch/encode-batches.ts';
import { encodeQueue } from '../../../../agent/batch/encode-queue.ts';
import { sharedBuffers } from '../../../../shared/shared-buffers.ts';
import { deferred, type Deferred } from '../../../../shared/deferred.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A queue whose encoders and taker finish when the test says so. Jobs are told apart by their size limit. */
function setUp(maxAhead: number) {
  const encoding = new Map<number, Deferred<EncodedPart[]>>();
  const taking = new Map<string, Deferred<void>>();
  const taken: string[] = [];
  const lengths: number[] = [];
  const queue = encodeQueue<string>({
    encoder: {
      encode: ({ maxBatchBytes }: EncodeJob) => {
        const result = deferred<EncodedPart[]>();
        encoding.set(maxBatchBytes, result);
        return result.promise;
      },
    },
    buffers: sharedBuffers(0),
    batchBytes: () => 0,
    maxAhead,
    take: (_, context) => {
      taken.push(context);
      const result = deferred<void>();
      taking.set(context, result);
      return result.promise;
    },
    onLength: (length) => lengths.push(length),
  });
  const add = (n: number) => {
    const state = { added: false };
    const options = {
      codec: 'none',
      timestampMs: 0,
      host: 'h',
      pipeline: 'p',
      maxRecordBytes: 1,
      oversize: 'split',
    } as const;
    const adding = queue.add({ segments: [], options, maxBatchBytes: n }, String(n)).then(() => {
      state.added = true;
    });
    adding.catch(() => {});
    return state;
  };
  return {
    queue,
    taken,
    lengths,
    add,
    encoded: async (n: number): Promise<void> => {
      encoding.get(n)!.resolve([]);
      await settle();
    },
    failed: async (n: number): Promise<void> => {
      encoding.get(n)!.reject(new Error('the worker died'));
      await settle();
    },
    done: async (n: number): Promise<void> => {
      taking.get(String(n))!.resolve();
      await settle();
    },
  };
}

describe('the encode queue', () => {
  test('hands batches on in the order in which their lines were read, however their encoding ends', async () => {
    const s = setUp(4);
    for (const n of [1, 2, 3]) s.add(n);
    await s.encoded(3);
    await s.encoded(2);
    expect(s.taken).toEqual([]);
    await s.encoded(1);
    expect(s.taken).toEqual(['1']); // one after the other
    await s.done(1);
    await s.done(2);
    await s.done(3);
    expect(s.taken).toEqual(['1', '2', '3']);
    await expect(s.queue.drained()).resolves.toBeUndefined();
    expect(s.lengths.at(-1)).toBe(0);
  });

  test('holds back who adds while as many as may be are under way', async () => {
    const s = setUp(2);
    const adds = [1, 2, 3].map((n) => s.add(n));
    await settle();
    expect(adds.map((a) => a.added)).toEqual([true, true, false]);
    for (const n of [1, 2, 3]) await s.encoded(n);
    await s.done(1);
    expect(adds[2]!.added).toBe(false); // two are still ahead of it
    await s.done(2);
    expect(adds[2]!.added).toBe(true);
    expect(Math.max(...s.lengths)).toBe(3);
  });

  test('a batch that cannot be encoded stops everything behind it: order is a promise', async () => {
    const s = setUp(4);
    for (const n of [1, 2]) s.add(n);
    await s.encoded(2);
    await s.failed(1);
    await expect(s.queue.drained()).rejects.toThrow('the worker died');
    expect(s.taken).toEqual([]);
  });
});
