import { Piscina } from 'piscina';
import type { Clock } from '../../shared/clock.ts';
import { encodeBatches, type EncodedPart, type EncodeJob } from './encode-batches.ts';

export interface BatchEncoder {
  /** The job's buffers may be gone afterwards. Jobs may finish in another order than they came. */
  encode(job: EncodeJob): Promise<EncodedPart[]>;
  close(): Promise<void>;
}

export interface PooledEncoder extends BatchEncoder {
  /** Says so when no job has come to its end for minutes although there are some: the threads hang. */
  readonly wedged: () => string | undefined;
}

/** A job takes seconds at most: the largest batch at the strongest compression. */
const WEDGED_MS = 120_000;

/** Encodes on `threads` worker threads; the main thread is left to moving bytes. */
export function pooledEncoder(threads: number, clock: Pick<Clock, 'monotonicMs'>): PooledEncoder {
  const pool = new Piscina({
    filename: new URL('./encode-worker.js', import.meta.url).href,
    name: 'encode',
    minThreads: 1,
    maxThreads: threads,
    idleTimeout: 30_000,
    // Each pipeline has a few jobs under way and waits for them, and there may be thousands of pipelines. A pool that
    // refuses a job ends its pipeline, so this is a backstop against a leak of that bound and nothing else.
    maxQueue: 1_000_000,
  });
  let underWay = 0;
  let movedMs = 0;
  return {
    wedged: () => {
      const stillMs = underWay === 0 ? 0 : clock.monotonicMs() - movedMs;
      if (stillMs < WEDGED_MS) return undefined;
      return `no batch has been encoded for ${Math.round(stillMs / 1000)} s, and ${underWay} wait for it`;
    },
    encode: async (job) => {
      if (underWay === 0) movedMs = clock.monotonicMs();
      underWay += 1;
      const transferList = new Set<ArrayBuffer>();
      for (const { bytes } of job.segments)
        if (bytes.buffer instanceof ArrayBuffer) transferList.add(bytes.buffer);
      try {
        const parts: EncodedPart[] = await pool.run(job, { transferList: [...transferList] });
        return parts;
      } finally {
        underWay -= 1;
        movedMs = clock.monotonicMs();
      }
    },
    close: () => pool.close({ force: true }),
  };
}

/** Encodes on the calling thread: for simulations, which must not depend on the scheduling of threads. */
export function inlineEncoder(): BatchEncoder {
  return { encode: encodeBatches, close: () => Promise.resolve() };
}
