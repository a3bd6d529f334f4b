import { ownBuffer } from '../../shared/codec/views.ts';
import type { ReadableFile } from '../discover/file-system.ts';

/** A buffer that is no part of Node's pool: it goes to another thread. */
export type Allocate = (bytes: number) => Buffer;

/** Reads `length` bytes at `position`, or as many as the file has. */
export async function fill(
  file: ReadableFile,
  length: number,
  position: number,
  allocate: Allocate = ownBuffer,
): Promise<Buffer> {
  const buffer = allocate(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(buffer, filled, length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}
