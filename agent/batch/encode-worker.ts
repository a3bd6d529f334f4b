/** Entry of the piscina threads. */
import { transferableSymbol, valueSymbol } from 'piscina';
import { encodeBatches, type EncodedPart, type EncodeJob } from './encode-batches.ts';

/** Encodes in this thread and gives the batches away without a copy. */
export async function encode(job: EncodeJob): Promise<unknown> {
  const parts: EncodedPart[] = await encodeBatches(job);
  return {
    [transferableSymbol]: [...new Set(parts.map((part) => part.batch.buffer))],
    [valueSymbol]: parts,
  };
}
