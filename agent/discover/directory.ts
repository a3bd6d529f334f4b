import { join } from 'node:path';
import { errnoOf } from '../../shared/errors.ts';
import type { FileSystem } from './file-system.ts';
import type { FoundFile } from './paths-now.ts';

/** The regular files of a directory by device and inode. */
export interface Directory {
  files: Map<string, FoundFile>;
  /** Why an entry could not be looked at. Without it, a file that is not among these is not there. */
  unseen: unknown;
  /** Device of the directory itself, in hex; undefined when it cannot be told. */
  device: string | undefined;
}

/** Device part of a file's key, see FileStat. */
export function deviceOf(key: string): string {
  return key.slice(0, key.indexOf('-'));
}

const GONE = ['ENOENT', 'ENOTDIR', 'ELOOP'];

/** Whether an error says that nothing is there, not that it cannot be seen. */
export function saysGone(error: unknown): boolean {
  return GONE.includes(errnoOf(error) ?? '');
}

function isForbidden(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(errnoOf(error) ?? '');
}

/** Undefined when there is no such directory. @throws when it cannot be listed */
export async function listDirectory(fs: FileSystem, directory: string): Promise<Directory | undefined> {
  const files = new Map<string, FoundFile>();
  let names: string[];
  try {
    names = await fs.list(directory);
  } catch (error) {
    if (saysGone(error)) return undefined;
    throw error;
  }
  const errors: unknown[] = [];
  let isSearchable = false;
  for (const name of names) {
    const path = join(directory, name);
    try {
      const stat = await fs.stat(path);
      isSearchable = true;
      if (stat.isFile) files.set(stat.key, { path, stat });
    } catch (error) {
      if (!saysGone(error)) errors.push(error);
    }
  }
  const device = await fs.stat(directory).then(
    ({ key }) => deviceOf(key),
    () => undefined,
  );
  // Where one entry can be looked at, all can be, but for links into directories that are not ours: no file lies there.
  const unseen = errors.find((error) => !isSearchable || !isForbidden(error));
  return { files, unseen, device };
}
