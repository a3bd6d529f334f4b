import type { OpenFile } from '../discover/file-system.ts';

/** Reads `length` bytes at `position`, or as many as the file has. The buffer is no part of Node's pool: it is transferred to a worker. */
export async function fill(file: OpenFile, length: number, position: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(buffer, filled, length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}
