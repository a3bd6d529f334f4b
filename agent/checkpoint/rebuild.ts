import { crc32c } from '../../shared/wire/crc32c.ts';
import type { JobSegment } from '../batch/encode-batches.ts';
import type { OpenFile } from '../discover/file-system.ts';
import type { Intent } from './entries.ts';

/** Undefined when the file ends before `end`. */
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
 * Reads the lines of an intent from their files again. Undefined when any byte is gone or is not the byte that was read
 * the first time: a batch that is not the same must not go out under the old identity.
 */
export async function rebuildIntent(
  intent: Intent,
  reopen: (fileId: string) => Promise<OpenFile | undefined>,
): Promise<JobSegment[] | undefined> {
  const segments: JobSegment[] = [];
  for (const { file: fileId, start, end, crc32c: expected, tail: _, ...rest } of intent.ranges) {
    const file = await reopen(fileId);
    if (file === undefined) return undefined;
    try {
      const bytes = await readRange(file, start, end);
      if (bytes === undefined || crc32c(bytes) !== expected) return undefined;
      segments.push({ bytes, start: 0, end: bytes.length, ...rest, fileId, fileOffset: start });
    } finally {
      await file.close();
    }
  }
  return segments;
}
