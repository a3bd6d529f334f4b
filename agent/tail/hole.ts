/**
 * The hole that a writer without O_APPEND leaves: after a truncation it goes on at its old offset, and the file begins
 * with NULs up to there. They were never written, and are passed over; NULs anywhere else are bytes like all others.
 */
import type { Framing } from '../../shared/framing/framing.ts';
import type { Journal } from '../checkpoint/journal.ts';
import { readAt } from '../discover/fingerprint.ts';
import type { LogFile, OpenLogFile } from './log-file.ts';

const CHUNK_BYTES = 256 * 1024;
/** What one look passes over: a second of nothing but NULs would keep the other files waiting. */
const MAX_BYTES_PER_LOOK = 64 * 1024 * 1024;

/** Whether nothing but a hole can have come so far of content that began with a truncation. */
function mayBegin({ state, position, mark }: LogFile): boolean {
  const untouched = mark === undefined && (state.marks?.length ?? 0) === 0;
  return state.afterTruncation === true && untouched && state.offset === position.offset;
}

function leadingNuls(bytes: Buffer): number {
  for (let i = 0; i < bytes.length; i += 1) if (bytes[i] !== 0) return i;
  return bytes.length;
}

/** Bytes of which a hole takes whole ones; undefined where NULs mean something: a length begins with them. */
function holeUnit(framing: Framing): 1 | 2 | undefined {
  if (framing.type === 'length-prefixed') return undefined;
  return framing.encoding === 'bytes' ? 1 : 2;
}

/** Whether `bytes`, read at the position, go on with a hole that was shorter when it was passed over: a second truncation. */
export function isInHole(file: LogFile, framing: Framing, bytes: Uint8Array): boolean {
  const unitBytes = holeUnit(framing);
  if (unitBytes === undefined || bytes.length < unitBytes || !mayBegin(file)) return false;
  return bytes.subarray(0, unitBytes).every((byte) => byte === 0);
}

/** Moves the position behind the NULs that are there up to now. */
export async function passHole(
  file: OpenLogFile,
  framing: Framing,
  journal: Journal,
  onHole: (bytes: number) => void,
): Promise<void> {
  const unitBytes = holeUnit(framing);
  if (unitBytes === undefined || !mayBegin(file)) return;
  const from = file.position.offset;
  let to = from;
  while (to < file.sizeBytes && to - from < MAX_BYTES_PER_LOOK) {
    const bytes = await readAt(file.handle, to, Math.min(CHUNK_BYTES, file.sizeBytes - to));
    const nuls = leadingNuls(bytes);
    to += nuls;
    if (nuls < CHUNK_BYTES) break;
  }
  to -= (to - from) % unitBytes; // a character in UTF-16 can begin with a NUL
  if (to === from) return;
  journal.append({ t: 'skip', id: file.state.id, to, skipping: false });
  file.position = { offset: to, skipping: false };
  file.partialAtBytes = undefined;
  onHole(to - from);
}
