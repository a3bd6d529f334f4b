/** Entry of the piscina threads. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { encodeBatches, type EncodedPart, type EncodeJob } from './encode-batches.ts';

/** Encodes in this thread and gives the batches away without a copy. */
export async function encode(job: EncodeJob): Promise<unknown> {
  const parts: EncodedPart[] = await encodeBatches(job);
  const transferable = {
    [transferableSymbol]: [...new Set(parts.map((part) => part.batch.buffer))],
    [valueSymbol]: parts,
  };
  return move(transferable);
}

/** Answers when this thread has loaded what it needs. */
export function loaded(): void {}
