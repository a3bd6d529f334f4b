/** One look at the file system: which files belong to a pipeline now, and which file each path is. */
import { join } from 'node:path';
import { errnoOf } from '../../shared/errors.ts';
import type { FileStat, FileSystem } from './file-system.ts';

export interface FoundFile {
  path: string;
  stat: FileStat;
}

export interface ScanResult {
  /** Regular files, the least recently written first, so that rotated files are finished before their successors. */
  files: FoundFile[];
  /** Paths that a glob matched and that cannot be carried, with the reason. */
  refused: { path: string; reason: string }[];
}

const PERMISSION = 'permission denied; let the user of the agent read it';

function reasonOf(error: unknown): string | undefined {
  const code = errnoOf(error);
  if (code === 'ENOENT') return undefined; // renamed or deleted between the listing and the look
  if (code === 'EACCES' || code === 'EPERM') return PERMISSION;
  if (code === 'ELOOP') return 'its symbolic link leads to itself';
  return String(error);
}

export async function scan(
  fs: FileSystem,
  include: readonly string[],
  exclude: readonly string[],
  enter: (directory: string) => Promise<void> = () => Promise.resolve(),
): Promise<ScanResult> {
  const result: ScanResult = { files: [], refused: [] };
  const literal = new Set(include);
  const { paths, unreadable } = await fs.glob(include, exclude, enter);
  for (const path of unreadable) result.refused.push({ path, reason: PERMISSION });
  for (const path of paths) {
    try {
      const stat = await fs.stat(path);
      if (stat.isFile) result.files.push({ path, stat });
      else if (stat.isDirectory) {
        // A glob matches directories in passing; a path that was written out was meant to be a file.
        if (literal.has(path.replace(/\/$/, ''))) {
          result.refused.push({
            path,
            reason: `it is a directory; to carry the files in it, write ${join(path, '*')}`,
          });
        }
      } else result.refused.push({ path, reason: 'it is not a regular file' });
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== undefined) result.refused.push({ path, reason });
    }
  }
  result.files.sort((a, b) => a.stat.modifiedMs - b.stat.modifiedMs || (a.path < b.path ? -1 : 1));
  return result;
}
