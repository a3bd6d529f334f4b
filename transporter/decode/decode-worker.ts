/** Entry of the piscina threads. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { garbageCollector } from '../../shared/collect-garbage.ts';
import { decodeRange, type DecodeJob, piecesOf } from './decode-range.ts';

const garbage = garbageCollector();

/** Decodes in this thread and gives the frames away without a copy. */
export async function decode(job: DecodeJob): Promise<unknown> {
  // The text of the job before, megabytes that by itself V8 would leave until there are many more.
  garbage.young();
  const range = await decodeRange(job);
  const bytes = piecesOf(range).map((piece) => piece.bytes.buffer);
  const transferable = { [transferableSymbol]: bytes, [valueSymbol]: range };
  return move(transferable);
}
