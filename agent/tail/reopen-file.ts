/** Finds a file again whose old bytes are needed, because a batch is built anew. */
import { dirname } from 'node:path';
import { errnoOf } from '../../shared/errors.ts';
import type { FileState } from '../checkpoint/entries.ts';
import { listDirectory, saysGone } from '../discover/directory.ts';
import type { FileSystem, OpenFile } from '../discover/file-system.ts';
import { fits } from '../discover/fingerprint.ts';
import type { LogFile } from './log-file.ts';
import type { OpenFiles } from './open-files.ts';

export interface ReopenOptions {
  fs: FileSystem;
  openFiles: OpenFiles;
  /** Those that are followed, by device and inode. */
  files: ReadonlyMap<string, LogFile>;
  /** The journal's records, by id. */
  remembered: ReadonlyMap<string, FileState>;
}

/** A file may be renamed between a look at its directory and its opening, by rotation that goes through many names. */
const MAX_LOOKS = 5;

/**
 * Undefined when the file cannot be found any more, or is another one; `no directory` when that in which it was is not there
 * either. Close it when done. @throws when it cannot be looked for or opened: then it may be there
 */
export async function reopenFile(
  id: string,
  options: ReopenOptions,
): Promise<OpenFile | 'no directory' | undefined> {
  const { fs, openFiles } = options;
  const state = options.remembered.get(id);
  if (state === undefined) return undefined;
  const file = options.files.get(state.key);
  if (file !== undefined && file.state.id !== id) return undefined; // its inode holds other content now
  if (file?.handle !== undefined) return borrowed(file, file.handle);
  for (let look = 1; ; look += 1) {
    const { path, hasDirectory } = await pathOf(fs, state);
    if (path === undefined) return hasDirectory ? undefined : 'no directory';
    const handle = await openFiles.open(path).catch((error: unknown) => {
      // Renamed since it was found under that name.
      if (look < MAX_LOOKS && errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (handle === undefined) continue;
    const isIt = (await handle.stat()).key === state.key;
    if (isIt && (await fits(handle, state.fingerprint))) return handle;
    await handle.close();
    if (isIt || look === MAX_LOOKS) return undefined;
  }
}

/** The open file itself: its name may lead nowhere any more. It is not closed while it is used. */
function borrowed(file: LogFile, handle: OpenFile): OpenFile {
  file.uses += 1;
  let inUse = true;
  const close = (): Promise<void> => {
    if (inUse) file.uses -= 1;
    inUse = false;
    return Promise.resolve();
  };
  return { ...handle, close };
}

async function pathOf(
  fs: FileSystem,
  { path, key }: FileState,
): Promise<{ path: string | undefined; hasDirectory: boolean }> {
  let unseen: unknown;
  const inPlace = await fs.stat(path).catch((error: unknown) => {
    if (!saysGone(error)) unseen = error;
    return undefined;
  });
  if (inPlace?.key === key) return { path, hasDirectory: true };
  const directory = await listDirectory(fs, dirname(path));
  const found = directory?.files.get(key)?.path;
  unseen ??= directory?.unseen;
  if (found === undefined && unseen !== undefined) throw unseen;
  return { path: found, hasDirectory: directory !== undefined };
}
