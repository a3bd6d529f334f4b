/** Whether a file still holds, in front of a position, what was read there. */
import { crc32c } from '../../shared/wire/crc32c.ts';
import { type FileState, type Mark, MARK_BYTES } from '../checkpoint/entries.ts';
import type { OpenFile } from './file-system.ts';
import { readAt } from './fingerprint.ts';

/** The mark behind bytes [0, end) of `bytes`, which were read in front of position `at`; undefined when there are none. */
export function markBehind(bytes: Uint8Array, end: number, at: number): Mark | undefined {
  const length = Math.min(MARK_BYTES, end);
  return length === 0 ? undefined : { at, bytes: length, crc32c: crc32c(bytes, end - length, end) };
}

export async function markFits(file: OpenFile, mark: Mark): Promise<boolean> {
  const bytes = await readAt(file, mark.at - mark.bytes, mark.bytes);
  return bytes.length === mark.bytes && crc32c(bytes) === mark.crc32c;
}

/** The mark at the position to which `state` was read; undefined when bytes were passed over unread there. */
export function lastMark({ marks, offset }: FileState): Mark | undefined {
  const last = marks?.at(-1);
  return last?.at === offset ? last : undefined;
}
