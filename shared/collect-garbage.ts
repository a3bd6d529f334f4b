import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * A function that collects the garbage of the calling thread at once. V8 looks at its own heap, which is small here, and
 * leaves tens of megabytes of buffers that nobody uses any more: one full collection takes some milliseconds for each ten
 * megabytes of heap, and frees them, from a thread of its own, a moment later. It is V8's own function, which
 * `node --expose-gc` shows.
 */
export function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (!isFunction(collect)) throw new TypeError('V8 does not show its garbage collector');
  return () => collect();
}

function isFunction(value: unknown): value is () => void {
  return typeof value === 'function';
}
