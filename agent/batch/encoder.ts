import { Piscina } from 'piscina';
import { encodeBatches, type EncodedPart, type EncodeJob } from './encode-batches.ts';

export interface BatchEncoder {
  /** The job's buffers may be gone afterwards. Jobs may finish in another order than they came. */
  encode(job: EncodeJob): Promise<EncodedPart[]>;
  close(): Promise<void>;
}

/** Encodes on `threads` worker threads; the main thread is left to moving bytes. */
export function pooledEncoder(threads: number): BatchEncoder {
  const pool = new Piscina({
    filename: new URL('./encode-worker.js', import.meta.url).href,
    name: 'encode',
    minThreads: 1,
    maxThreads: threads,
    idleTimeout: 30_000,
    // Callers bound their own queues by the memory budget; this is a backstop against a leak of that bound.
    maxQueue: 4096,
  });
  return {
    encode: async (job) => {
      const transferList = new Set<ArrayBuffer>();
      for (const { bytes } of job.segments)
        if (bytes.buffer instanceof ArrayBuffer) transferList.add(bytes.buffer);
      const parts: EncodedPart[] = await pool.run(job, { transferList: [...transferList] });
      return parts;
    },
    close: () => pool.close({ force: true }),
  };
}

/** Encodes on the calling thread: for simulations, which must not depend on the scheduling of threads. */
export function inlineEncoder(): BatchEncoder {
  return { encode: encodeBatches, close: () => Promise.resolve() };
}
