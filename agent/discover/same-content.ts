/** Whether a file holds the content that the journal remembers of another one: a copy of it, or the same one elsewhere. */
import { crc32c } from '../../shared/wire/crc32c.ts';
import type { FileState, Mark } from '../checkpoint/entries.ts';
import type { OpenFile } from './file-system.ts';
import { fits, LEAD_BYTES, readAt } from './fingerprint.ts';
import { markFits } from './mark.ts';

/** Content that was read up to `offset`. */
export interface KnownContent {
  state: Pick<FileState, 'fingerprint' | 'marks'>;
  offset: number;
  /** What was read in front of `offset`, where it is known. */
  mark: Mark | undefined;
}

/** `whole`: all that was read of it and perhaps more. `part`: only a beginning of what was read. */
export type Holding = 'whole' | 'part' | 'none';

/**
 * Compares the beginning and what is known of the places up to which it was read. A part must agree at a place behind its
 * middle: two logs of one application may begin with the same banner and have nothing else in common.
 */
export async function holding(file: OpenFile, sizeBytes: number, known: KnownContent): Promise<Holding> {
  const { fingerprint, marks = [] } = known.state;
  if (fingerprint.bytes === 0 || sizeBytes === 0) return 'none';
  let agreed = 0;
  if (sizeBytes >= fingerprint.bytes) {
    if (!(await fits(file, fingerprint))) return 'none';
    agreed = fingerprint.bytes;
  } else {
    const leads = (fingerprint.leads ?? []).slice(0, LEAD_BYTES.filter((bytes) => bytes <= sizeBytes).length);
    if (leads.length > 0) {
      const bytes = LEAD_BYTES[leads.length - 1]!;
      if (crc32c(await readAt(file, 0, bytes)) !== leads.at(-1)) return 'none';
      agreed = bytes;
    }
  }
  const inside = [...marks, ...(known.mark === undefined ? [] : [known.mark])].filter(
    ({ at }) => at <= sizeBytes,
  );
  for (const mark of inside) {
    if (!(await markFits(file, mark))) return 'none';
    agreed = Math.max(agreed, mark.at);
  }
  if (sizeBytes >= known.offset) return 'whole';
  return 2 * agreed >= sizeBytes ? 'part' : 'none';
}
