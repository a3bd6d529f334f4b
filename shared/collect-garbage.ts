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

function isCollect(value: unknown): value is (options?: { type: 'minor' }) => void {
  return typeof value === 'function';
}
