/** Entry of the piscina threads. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { decodeRange, type DecodeJob, piecesOf } from './decode-range.ts';

/** Decodes in this thread and gives the frames away without a copy. */
export async function decode(job: DecodeJob): Promise<unknown> {
  const range = await decodeRange(job);
  const bytes = piecesOf(range).map((piece) => piece.bytes.buffer);
  const transferable = { [transferableSymbol]: bytes, [valueSymbol]: range };
  return move(transferable);
}
