/**
 * A file under a single reading step, which notices when its content is exchanged under the reader's hands: truncated and
 * written anew, to whatever size, between two reads or between the pieces of one.
 */
import { crc32c } from '../../shared/wire/crc32c.ts';
import { type Mark, MARK_BYTES } from '../checkpoint/entries.ts';
import { markFits } from '../discover/mark.ts';
import type { OpenFile, ReadableFile } from '../discover/file-system.ts';

export interface GuardedFile extends ReadableFile {
  /**
   * Whether all that was read came from the content that the mark was taken from. To be asked after the last read: bytes
   * that are the old ones then were so when what lies behind them was read.
   */
  intact(): Promise<boolean>;
}

/** Reads up to this long bring the bytes of the mark along in the same call; longer ones are cheaper to check afterwards. */
const SHORT_READ_BYTES = 64 * 1024;

/** For what stands in front of a position; as many as there were reads at once. */
const spareFronts: Buffer[] = [];

/**
 * `mark` is what was read in front of the position at which the step begins; undefined when that is not known, as at the
 * beginning of a file. Then the first bytes that the step itself reads are what must still be there at its end.
 */
export function guardedFile(file: OpenFile, mark: Mark | undefined): GuardedFile {
  let witness = mark;
  let reads = 0;
  let long = false;
  let changed = false;
  /** The bytes in front of the position came in the same read, and there was no other. */
  let checked = false;

  const readWithMark = async (
    { at, bytes, crc32c: expected }: Mark,
    into: Uint8Array,
    to: number,
    length: number,
  ): Promise<number> => {
    const front = spareFronts.pop() ?? Buffer.alloc(MARK_BYTES);
    try {
      const count = await file.readBoth(front.subarray(0, bytes), into.subarray(to, to + length), at - bytes);
      if (count < bytes) return await file.read(into, to, length, at); // a short read; `intact` will see
      checked = crc32c(front, 0, bytes) === expected;
      changed = !checked;
      return changed ? 0 : count - bytes;
    } finally {
      spareFronts.push(front);
    }
  };

  return {
    read: async (into, to, length, position) => {
      if (changed) return 0;
      reads += 1;
      if (length > SHORT_READ_BYTES) long = true;
      if (mark !== undefined && position === mark.at && reads === 1 && length <= SHORT_READ_BYTES) {
        return readWithMark(mark, into, to, length);
      }
      const count = await file.read(into, to, length, position);
      if (witness === undefined && count > 0) {
        const bytes = Math.min(count, MARK_BYTES);
        witness = { at: position + bytes, bytes, crc32c: crc32c(into, to, to + bytes) };
      }
      return count;
    },
    intact: async () => {
      if (changed) return false;
      if (witness === undefined) return true;
      // One short read is one call of the system: what it gives is not a mixture.
      if (reads === 1 && !long && (checked || mark === undefined)) return true;
      return markFits(file, witness);
    },
  };
}
