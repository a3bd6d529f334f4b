import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface GarbageCollector {
  /** Everything. Takes some milliseconds for each ten megabytes of heap. */
  readonly all: () => void;
  /** What was made since the last collection or the one before, as buffers of a job are: a tenth of a millisecond. */
  readonly young: () => void;
}

/**
 * Collects the garbage of the calling thread at once. V8 looks at its own heap, which is small here, and leaves tens of
 * megabytes of buffers that nobody uses any more. A collection frees them, from a thread of its own, a moment later. It is
 * V8's own function, which `node --expose-gc` shows.
 */
export function garbageCollector(): GarbageCollector {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (!isCollect(collect)) throw new TypeError('V8 does not show its garbage collector');
  return { all: () => collect(), young: () => collect({ type: 'minor' }) };
}

/** Collects everything after each `limitBytes` that were made; for a thread that is given job after job. */
export function collectAfter(limitBytes: number, garbage: Pick<GarbageCollector, 'all'>) {
  let madeBytes = 0;
  return {
    made: (bytes: number): void => {
      madeBytes += bytes;
    },
    /** Resolves with whether it was time. */
    ifDue: async (): Promise<boolean> => {
      if (madeBytes < limitBytes) return false;
      madeBytes = 0;
      garbage.all();
      // Buffers of a codec's binding are freed in a callback, and such a thread may have gone from job to job without any.
      await setImmediate();
      return true;
    },
  };
}

function isCollect(value: unknown): value is (options?: { type: 'minor' }) => void {
  return typeof value === 'function';
}
