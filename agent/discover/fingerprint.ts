import { createHash } from 'node:crypto';
import type { Fingerprint } from '../checkpoint/state.ts';
import type { OpenFile } from './file-system.ts';

/** Enough to differ between log files that begin with the same banner, little enough to read again at every start. */
export const FINGERPRINT_BYTES = 1024;

/** Hashes the first `bytes` bytes, or fewer when the file is shorter. */
export async function fingerprintOf(file: OpenFile, bytes: number): Promise<Fingerprint> {
  const head = Buffer.alloc(bytes);
  let filled = 0;
  while (filled < bytes) {
    const count = await file.read(head, filled, bytes - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  const hash = createHash('sha256').update(head.subarray(0, filled)).digest('hex').slice(0, 16);
  return { bytes: filled, hash };
}

/** Whether `file` still begins with the bytes that `known` was taken from. An empty fingerprint fits every file. */
export async function fits(file: OpenFile, known: Fingerprint): Promise<boolean> {
  if (known.bytes === 0) return true;
  const now = await fingerprintOf(file, known.bytes);
  return now.bytes === known.bytes && now.hash === known.hash;
}
