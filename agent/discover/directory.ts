import { join } from 'node:path';
import type { FileSystem } from './file-system.ts';
import type { FoundFile } from './paths-now.ts';

/** The regular files of a directory by device and inode. */
export interface Directory {
  files: Map<string, FoundFile>;
  /** Device of the directory itself, in hex; undefined when it cannot be told. */
  device: string | undefined;
}

/** Device part of a file's key, see FileStat. */
export function deviceOf(key: string): string {
  return key.slice(0, key.indexOf('-'));
}

/** Undefined when there is no such directory, or it cannot be listed. */
export async function listDirectory(fs: FileSystem, directory: string): Promise<Directory | undefined> {
  const files = new Map<string, FoundFile>();
  let names: string[];
  try {
    names = await fs.list(directory);
  } catch {
    return undefined;
  }
  for (const name of names) {
    const path = join(directory, name);
    try {
      const stat = await fs.stat(path);
      if (stat.isFile) files.set(stat.key, { path, stat });
    } catch {
      // gone meanwhile, or not ours to look at
    }
  }
  const device = await fs.stat(directory).then(
    ({ key }) => deviceOf(key),
    () => undefined,
  );
  return { files, device };
}
