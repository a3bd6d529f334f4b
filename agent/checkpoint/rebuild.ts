import { crc32c } from '../../shared/wire/crc32c.ts';
import type { JobSegment } from '../batch/encode-batches.ts';
import type { OpenFile } from '../discover/file-system.ts';
import type { Intent, IntentRange } from './entries.ts';

/** Undefined when the file ends before `end`. The buffer is no part of Node's pool: it is transferred to a worker. */
export async function readRange(file: OpenFile, start: number, end: number): Promise<Uint8Array | undefined> {
  const bytes = Buffer.allocUnsafeSlow(end - start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = await file.read(bytes, filled, bytes.length - filled, start + filled);
    if (count === 0) return undefined;
    filled += count;
  }
  return bytes;
}

/**
 * Reads the lines of an intent from their files again, but those that are `held` in memory. Undefined when any byte is gone
 * or is not the byte that was read the first time: a batch that is not the same must not go out under the old identity.
 */
export async function rebuildIntent(
  intent: Intent,
  reopen: (fileId: string) => Promise<OpenFile | undefined>,
  held?: ReadonlyMap<IntentRange, Uint8Array>,
): Promise<JobSegment[] | undefined> {
  const segments: JobSegment[] = [];
  for (const range of intent.ranges) {
    const inMemory = held?.get(range);
    // A copy: who encodes the segments gives their bytes away to another thread.
    const bytes = inMemory ? new Uint8Array(inMemory) : await readAgain(range, reopen);
    if (bytes === undefined) return undefined;
    const { file: fileId, start, end: _end, crc32c: _crc, tail: _tail, ...rest } = range;
    segments.push({ bytes, start: 0, end: bytes.length, ...rest, fileId, fileOffset: start });
  }
  return segments;
}

async function readAgain(
  { file: fileId, start, end, crc32c: expected }: IntentRange,
  reopen: (fileId: string) => Promise<OpenFile | undefined>,
): Promise<Uint8Array | undefined> {
  const file = await reopen(fileId);
  if (file === undefined) return undefined;
  try {
    const bytes = await readRange(file, start, end);
    return bytes !== undefined && crc32c(bytes) === expected ? bytes : undefined;
  } finally {
    await file.close();
  }
}
