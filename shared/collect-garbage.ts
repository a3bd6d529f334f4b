import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Collects all garbage of the calling thread at once, in some milliseconds for each ten megabytes of heap. V8 looks at its
 * own heap, which is small here, and leaves tens of megabytes of buffers that nobody uses any more. A collection frees them,
 * from a thread of its own, a moment later. It is V8's own function, which `node --expose-gc` shows.
 */
export function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (!isCollect(collect)) throw new TypeError('V8 does not show its garbage collector');
  return () => collect();
}

/**
 * From now on V8 marks what is in use in one go. It begins to after each 16 MB or so of new buffers, and doing so in steps,
 * beside the program and with the help of other threads, costs several times what it takes at once: about 15 ms for the heap
 * of a worker, which is in no hurry for milliseconds.
 */
export function markAtOnce(): void {
  setFlagsFromString('--no-incremental-marking');
}

function isCollect(value: unknown): value is () => void {
  return typeof value === 'function';
}
