/** Entry of the piscina threads. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { garbageCollector } from '../../shared/collect-garbage.ts';
import { decodeRange, type DecodeJob, piecesOf } from './decode-range.ts';

/** Text that a thread may leave behind; by itself V8 would collect less often than each 64 MiB. */
const COLLECT_AFTER_BYTES = 16 * 1024 * 1024;

const collectGarbage = garbageCollector();
let textBytes = 0;

/** Decodes in this thread and gives the frames away without a copy. */
export async function decode(job: DecodeJob): Promise<unknown> {
  if (textBytes >= COLLECT_AFTER_BYTES) {
    collectGarbage();
    textBytes = 0;
  }
  const range = await decodeRange(job);
  for (const piece of piecesOf(range)) textBytes += piece.textBytes;
  const bytes = piecesOf(range).map((piece) => piece.bytes.buffer);
  const transferable = { [transferableSymbol]: bytes, [valueSymbol]: range };
  return move(transferable);
}
