/**
 * The worker threads' time, shared fairly: the next job is that of the pipeline that has had least of it. In the order of
 * coming, a pipeline whose jobs take a second each would leave one job in a second to every other one. Start-time fair
 * queueing (Goyal, Vin and Cheng, 1996), with the time that a job took for its length.
 */
import type { Clock } from '../../shared/clock.ts';
import { deferred, type Deferred } from '../../shared/deferred.ts';
import type { EncodedPart, EncodeJob } from './encode-batches.ts';
import type { BatchEncoder } from './encoder.ts';

export interface FairEncoder {
  /** For one more pipeline. Its jobs go out in the order of their coming. */
  share(): Pick<BatchEncoder, 'encode'>;
}

interface Line {
  readonly waiting: { job: EncodeJob; done: Deferred<EncodedPart[]> }[];
  /** Time of the threads, in a count that starts where the others are when the pipeline has nothing to do for a while. */
  usedMs: number;
  /** How long its last job took, which is what the next one is taken to need until it is done. */
  lastMs: number;
}

/** Gives `pool` no more jobs than it has `threads`; the others wait here, as many as pipelines let wait. */
export function fairEncoder(
  pool: Pick<BatchEncoder, 'encode'>,
  threads: number,
  clock: Pick<Clock, 'monotonicMs'>,
): FairEncoder {
  const inLine = new Set<Line>();
  let running = 0;
  /** Where the line stood whose job went out last: who comes now has no claim on the time before. */
  let virtualMs = 0;

  const run = async (line: Line, { job, done }: Line['waiting'][number]): Promise<void> => {
    const beganMs = clock.monotonicMs();
    const expectedMs = line.lastMs;
    running += 1;
    line.usedMs += expectedMs;
    try {
      done.resolve(await pool.encode(job));
    } catch (error) {
      done.reject(error);
    }
    line.lastMs = clock.monotonicMs() - beganMs;
    line.usedMs += line.lastMs - expectedMs;
    running -= 1;
    startNext();
  };

  const startNext = (): void => {
    while (running < threads && inLine.size > 0) {
      const [first, ...others] = inLine;
      const line = others.reduce((least, other) => (other.usedMs < least.usedMs ? other : least), first!);
      virtualMs = Math.max(virtualMs, line.usedMs);
      const next = line.waiting.shift()!;
      inLine.delete(line);
      if (line.waiting.length > 0) inLine.add(line); // of equals, the one that waited longest is next
      void run(line, next);
    }
  };

  return {
    share: () => {
      const line: Line = { waiting: [], usedMs: 0, lastMs: 0 };
      return {
        encode: (job) => {
          const done = deferred<EncodedPart[]>();
          line.usedMs = Math.max(line.usedMs, inLine.has(line) ? 0 : virtualMs);
          line.waiting.push({ job, done });
          inLine.add(line);
          startNext();
          return done.promise;
        },
      };
    },
  };
}
