/** Where paths lead now, asked a few at a time, so that thousands of them take no thread pool for themselves. */
import { errnoOf } from '../../shared/errors.ts';
import type { FileStat, FileSystem } from './file-system.ts';

export interface FoundFile {
  path: string;
  stat: FileStat;
}

const AT_ONCE = 32;

export interface PathsNow {
  /** Regular files, the least recently written first, so that rotated files are finished before their successors. */
  found: FoundFile[];
  /** Nothing of that name is there. */
  gone: string[];
  directories: string[];
  /** Paths that lead to something else, which has no lines: what it is. */
  others: { path: string; reason: string }[];
  /** Paths that cannot be looked at, with the reason; `forbidden` says that it is a person's decision, and may last. */
  refused: { path: string; reason: string; forbidden: boolean }[];
}

const PERMISSION = 'permission denied; let the user of the agent read it';

/** Somebody has decided that we may not look at it. */
export function isForbidden(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'EACCES' || code === 'EPERM';
}

function note(now: PathsNow, path: string, error: unknown): void {
  const code = errnoOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') now.gone.push(path);
  else if (code === 'ELOOP') now.others.push({ path, reason: 'its symbolic link leads to itself' });
  else if (isForbidden(error)) now.refused.push({ path, reason: PERMISSION, forbidden: true });
  else now.refused.push({ path, reason: String(error), forbidden: false });
}

export async function lookAtPaths(fs: Pick<FileSystem, 'stat'>, paths: readonly string[]): Promise<PathsNow> {
  const now: PathsNow = { found: [], gone: [], directories: [], others: [], refused: [] };
  const lookAt = async (path: string): Promise<void> => {
    try {
      const stat = await fs.stat(path);
      if (stat.isFile) now.found.push({ path, stat });
      else if (stat.isDirectory) now.directories.push(path);
      else now.others.push({ path, reason: 'it is not a regular file' });
    } catch (error) {
      note(now, path, error);
    }
  };
  for (let i = 0; i < paths.length; i += AT_ONCE) {
    await Promise.all(paths.slice(i, i + AT_ONCE).map(lookAt));
  }
  now.found.sort((a, b) => a.stat.modifiedMs - b.stat.modifiedMs || (a.path < b.path ? -1 : 1));
  return now;
}
