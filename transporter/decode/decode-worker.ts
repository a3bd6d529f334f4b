/** Entry of the piscina threads. */
import { setImmediate } from 'node:timers/promises';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { freeBytes } from '../../shared/free-bytes.ts';
import { decodeRange, type DecodeJob, piecesOf } from './decode-range.ts';

/** Decodes in this thread and gives the frames away without a copy. */
export async function decode(job: DecodeJob): Promise<unknown> {
  const range = await decodeRange(job);
  for (const recordSet of job.recordSets) freeBytes(recordSet);
  const bytes = piecesOf(range).map((piece) => piece.bytes.buffer);
  // What a codec's binding made is freed in a callback, and this thread may have another job at once.
  await setImmediate();
  const transferable = { [transferableSymbol]: bytes, [valueSymbol]: range };
  return move(transferable);
}
