/** Entry of the piscina threads. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { collectAfter, garbageCollector } from '../../shared/collect-garbage.ts';
import { encodeBatches, type EncodedPart, type EncodeJob } from './encode-batches.ts';

/**
 * Buffers that a codec's binding made die in full collections only (V8 takes their weak handles for roots in young ones), and
 * V8 sees no reason for one: the heap of this thread is small.
 */
const COLLECT_AFTER_BYTES = 12 * 1024 * 1024;

const garbage = collectAfter(COLLECT_AFTER_BYTES, garbageCollector());

/** Encodes in this thread and gives the batches away without a copy; shared memory need not be given away. */
export async function encode(job: EncodeJob): Promise<unknown> {
  await garbage.ifDue();
  const parts: EncodedPart[] = await encodeBatches(job);
  for (const { batch } of parts) garbage.made(batch.length);
  const buffers = new Set(parts.map(({ batch }) => batch.buffer));
  const transferable = {
    [transferableSymbol]: [...buffers].filter((buffer) => buffer instanceof ArrayBuffer),
    [valueSymbol]: parts,
  };
  return move(transferable);
}

/** Answers when this thread has loaded what it needs. */
export function loaded(): void {}
