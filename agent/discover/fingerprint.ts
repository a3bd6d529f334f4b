import { createHash } from 'node:crypto';
import { crc32c } from '../../shared/wire/crc32c.ts';
import type { Fingerprint } from '../checkpoint/entries.ts';
import type { OpenFile } from './file-system.ts';

/** Enough to differ between log files that begin with the same banner, little enough to read again at every start. */
export const FINGERPRINT_BYTES = 1024;

/** Lengths of the prefixes whose checksums are kept beside the hash. */
export const LEAD_BYTES = [16, 32, 64, 128, 256, 512] as const;

/** Reads `length` bytes at `position`, or fewer at the end of the file. */
export async function readAt(file: OpenFile, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(bytes, filled, length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

/** What `head`, the first bytes of a file, is known by. */
export function fingerprintFrom(head: Uint8Array): Fingerprint {
  const hash = createHash('sha256').update(head).digest('hex').slice(0, 16);
  const leads = LEAD_BYTES.filter((bytes) => bytes <= head.length).map((bytes) => crc32c(head, 0, bytes));
  return { bytes: head.length, hash, ...(leads.length > 0 && { leads }) };
}

/** Hashes the first `bytes` bytes, or fewer when the file is shorter. */
export async function fingerprintOf(file: OpenFile, bytes: number): Promise<Fingerprint> {
  return fingerprintFrom(await readAt(file, 0, bytes));
}

/** Whether `file` still begins with the bytes that `known` was taken from. An empty fingerprint fits every file. */
export async function fits(file: OpenFile, known: Fingerprint): Promise<boolean> {
  if (known.bytes === 0) return true;
  const now = await fingerprintOf(file, known.bytes);
  return now.bytes === known.bytes && now.hash === known.hash;
}
