import { statfs } from 'node:fs/promises';
import { UsageError } from './demo-error.ts';
import { formatBytes } from './format.ts';

/** A file system that is full would hit everybody who uses it. */
const SPARE_BYTES = 512 * 1024 * 1024;

/** @throws UsageError when the file system of a directory has less room than that and some to spare */
export async function requireDiskSpace(directory: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const freeBytes = bavail * bsize;
  if (neededBytes + SPARE_BYTES <= freeBytes) return;
  throw new UsageError(
    `this run may take ${formatBytes(neededBytes)} and ${directory} has ${formatBytes(freeBytes)} left; ` +
      'take fewer lines, or set TMPDIR to a directory on a larger disk',
  );
}
