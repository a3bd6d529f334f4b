/** Entry of the piscina threads. */
import { setImmediate } from 'node:timers/promises';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { garbageCollector } from '../../shared/collect-garbage.ts';
import { encodeBatches, type EncodedPart, type EncodeJob } from './encode-batches.ts';

/**
 * Buffers that a codec's binding made die in full collections only (V8 takes their weak handles for roots in young ones), and
 * V8 sees no reason for one: the heap of this thread is small.
 */
const COLLECT_AFTER_BYTES = 16 * 1024 * 1024;

const garbage = garbageCollector();
let compressedBytes = 0;

/** Encodes in this thread and gives the batches away without a copy. */
export async function encode(job: EncodeJob): Promise<unknown> {
  if (compressedBytes >= COLLECT_AFTER_BYTES) {
    garbage.all();
    await setImmediate(); // what frees them is a callback, and this thread may have gone from job to job without any
    compressedBytes = 0;
  }
  const parts: EncodedPart[] = await encodeBatches(job);
  for (const { batch } of parts) compressedBytes += batch.length;
  const transferable = {
    [transferableSymbol]: [...new Set(parts.map((part) => part.batch.buffer))],
    [valueSymbol]: parts,
  };
  return move(transferable);
}

/** Answers when this thread has loaded what it needs. */
export function loaded(): void {}
