import { Piscina } from 'piscina';
import type { Clock } from '../../shared/clock.ts';
import { deferred } from '../../shared/deferred.ts';
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

/** Waits until every thread has loaded its code and the native libraries. */
async function loaded(pool: Piscina, threads: number): Promise<void> {
  const failed = deferred<never>();
  const onError = (error: unknown): void => failed.reject(error);
  pool.once('error', onError);
  const answers = Array.from({ length: threads }, () => pool.run(undefined, { name: 'loaded' }));
  await Promise.race([Promise.all(answers), failed.promise]);
  pool.off('error', onError);
}

/**
 * Encodes on `threads` worker threads; the main thread is left to moving bytes. Resolves when all of them are there: later,
 * log files may have taken every file descriptor, and a thread that cannot load its libraries ends the process.
 */
export async function pooledEncoder(
  threads: number,
  clock: Pick<Clock, 'monotonicMs'>,
): Promise<PooledEncoder> {
  const pool = new Piscina({
    filename: new URL('./encode-worker.js', import.meta.url).href,
    name: 'encode',
    minThreads: threads,
    maxThreads: threads,
    // Each pipeline has a few jobs under way and waits for them, and there may be thousands of pipelines. A pool that
    // refuses a job ends its pipeline, so this is a backstop against a leak of that bound and nothing else.
    maxQueue: 1_000_000,
  });
  await loaded(pool, threads);
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
