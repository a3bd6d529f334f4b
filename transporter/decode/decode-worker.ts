/** Entry of the piscina threads. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { collectAfter, garbageCollector } from '../../shared/collect-garbage.ts';
import { decodeRange, type DecodeJob, piecesOf } from './decode-range.ts';

/** Text after which also that garbage is collected which survived two young collections. */
const COLLECT_ALL_AFTER_BYTES = 16 * 1024 * 1024;

const garbage = garbageCollector();
const survivors = collectAfter(COLLECT_ALL_AFTER_BYTES, garbage);

/** Decodes in this thread and gives the frames away without a copy. */
export async function decode(job: DecodeJob): Promise<unknown> {
  // The text of the job before, megabytes that by itself V8 would leave until there are many more.
  if (!(await survivors.ifDue())) garbage.young();
  const range = await decodeRange(job);
  for (const piece of piecesOf(range)) survivors.made(piece.textBytes);
  const bytes = piecesOf(range).map((piece) => piece.bytes.buffer);
  const transferable = { [transferableSymbol]: bytes, [valueSymbol]: range };
  return move(transferable);
}
