/** Whether an inode still holds the file that the journal remembers. */
import type { FileState } from '../checkpoint/entries.ts';
import type { FileStat, OpenFile } from './file-system.ts';
import { fits } from './fingerprint.ts';
import { lastMark, markFits } from './mark.ts';

/** `emptied`: truncated, or rewritten in place. `reused`: another file has the inode now. */
export type Identity = 'same' | 'emptied' | 'reused';

/** Whether two birth times are those of two files. Where one of them is not known, nothing can be said. */
export function bornApart(one: number | undefined, other: number | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other;
}

/** What became of `known`, whose device and inode `handle` has. */
export async function identify(handle: OpenFile, stat: FileStat, known: FileState): Promise<Identity> {
  if (bornApart(stat.bornNs, known.bornNs)) return 'reused';
  if (stat.sizeBytes < known.offset || !(await fits(handle, known.fingerprint))) return 'emptied';
  const mark = lastMark(known);
  return mark === undefined || (await markFits(handle, mark)) ? 'same' : 'emptied';
}
