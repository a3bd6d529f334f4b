/** Entry of the piscina threads. */
import { setImmediate } from 'node:timers/promises';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { encodeBatches, type EncodedPart, type EncodeJob } from './encode-batches.ts';

/** Encodes in this thread and gives the batches away without a copy; shared memory need not be given away. */
export async function encode(job: EncodeJob): Promise<unknown> {
  const parts: EncodedPart[] = await encodeBatches(job);
  const buffers = new Set(parts.map(({ batch }) => batch.buffer));
  // What a codec's binding made is freed in a callback, and this thread may have another job at once.
  await setImmediate();
  const transferable = {
    [transferableSymbol]: [...buffers].filter((buffer) => buffer instanceof ArrayBuffer),
    [valueSymbol]: parts,
  };
  return move(transferable);
}

/** Answers when this thread has loaded what it needs. */
export function loaded(): void {}
