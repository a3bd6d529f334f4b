import { Piscina } from 'piscina';
import { type DecodedRange, decodeRange, type DecodeJob } from './decode-range.ts';

export interface Decoder {
  /** The job's buffers may be gone afterwards. Jobs may finish in another order than they came. */
  decode(job: DecodeJob): Promise<DecodedRange>;
  close(): Promise<void>;
}

/** Decodes on `threads` worker threads; the main thread is left to moving bytes. */
export function pooledDecoder(threads: number): Decoder {
  const pool = new Piscina<DecodeJob, DecodedRange>({
    filename: new URL('./decode-worker.js', import.meta.url).href,
    name: 'decode',
    minThreads: 1,
    maxThreads: threads,
    idleTimeout: 30_000,
    // Partitions bound their own jobs by the memory budget; this is a backstop against a leak of that bound.
    maxQueue: 65_536,
  });
  return {
    decode: (job) => {
      const buffers = job.recordSets.flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? [buffer] : []));
      return pool.run(job, { transferList: buffers });
    },
    close: () => pool.close({ force: true }),
  };
}

/** Decodes on the calling thread: for simulations, which must not depend on the scheduling of threads. */
export function inlineDecoder(): Decoder {
  return { decode: decodeRange, close: () => Promise.resolve() };
}
