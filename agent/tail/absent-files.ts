/**
 * Files that the journal remembers and no glob finds: rotated out of the globs, with lines unread or finished, or gone.
 * They are looked for in the directory in which they were last seen.
 */
import { basename, dirname } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { FileState } from '../checkpoint/entries.ts';
import { hasOpenIntent } from '../checkpoint/state.ts';
import { deviceOf, type Directory, listDirectory } from '../discover/directory.ts';
import type { FileSystem } from '../discover/file-system.ts';
import { identify } from '../discover/identity.ts';

export interface AbsentFilesOptions {
  fs: FileSystem;
  journal: Journal;
  isOpen(key: string): boolean;
  /** Follows the file to its end. */
  follow(path: string): Promise<void>;
  /** Nothing of the file will be asked for any more. */
  forget(state: FileState): void;
  log: RepeatedLog;
}

export interface AbsentFiles {
  look(): Promise<void>;
}

export function absentFiles(options: AbsentFilesOptions): AbsentFiles {
  const { fs, journal, log } = options;
  /** Not found by the last look. One look can miss a file that is being renamed; two in a row do not. */
  let missing = new Set<string>();

  /** Whether the file at `path`, which has this one's inode, is this one. An inode is used again when its file is gone. */
  const isSame = async (state: FileState, path: string, sizeBytes: number): Promise<boolean> => {
    if (sizeBytes < state.offset) return false;
    // A file that was empty has no beginning to know it by; then the name must speak for it, as app.log.1 does for app.log.
    if (state.fingerprint.bytes === 0) return basename(path).startsWith(basename(state.path));
    const handle = await fs.open(path);
    try {
      const stat = await handle.stat();
      return stat.key === state.key && (await identify(handle, stat, state)) === 'same';
    } finally {
      await handle.close();
    }
  };

  const lookFor = async (
    state: FileState,
    { files, unseen, device }: Directory,
  ): Promise<'there' | 'missing'> => {
    const found = files.get(state.key);
    // A directory on another device is a mount point without its file system: that says nothing about the file.
    if (found === undefined)
      return unseen === undefined && device === deviceOf(state.key) ? 'missing' : 'there';
    const { path } = found;
    const { sizeBytes } = found.stat;
    if (sizeBytes === state.offset) return 'there';
    try {
      if (await isSame(state, path, sizeBytes)) await options.follow(path);
      else if (!hasOpenIntent(journal.state, state.id)) options.forget(state);
    } catch (error) {
      log.error(`open ${path}`, { path, err: error }, `cannot read a rotated log file: ${messageOf(error)}`);
    }
    return 'there';
  };

  /** What cannot be listed says nothing about its files. */
  const complain =
    (directory: string) =>
    (error: unknown): undefined => {
      const message = `cannot look for rotated log files: ${messageOf(error)}; trying again`;
      log.warn(`list ${directory}`, { directory, err: error }, message);
    };

  return {
    look: async () => {
      const directories = new Map<string, Directory | undefined>();
      const nowMissing = new Set<string>();
      for (const state of journal.state.files.values()) {
        if (options.isOpen(state.key) || state.displaced !== undefined) continue;
        const name = dirname(state.path);
        if (!directories.has(name))
          directories.set(name, await listDirectory(fs, name).catch(complain(name)));
        const directory = directories.get(name);
        if (directory === undefined || (await lookFor(state, directory)) === 'there') continue;
        if (missing.has(state.id) && !hasOpenIntent(journal.state, state.id)) options.forget(state);
        else nowMissing.add(state.id);
      }
      missing = nowMissing;
    },
  };
}
