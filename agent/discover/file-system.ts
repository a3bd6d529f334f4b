/** What the agent asks of a file system; an interface, so that a simulation can own rotation, faults and time. */
import { constants, statSync, watch } from 'node:fs';
import { open, readdir, realpath, stat, statfs } from 'node:fs/promises';
import { basename } from 'node:path';
import { isLocal, isRemote } from './remote.ts';
import { walk } from './walk.ts';

export interface FileStat {
  /** Device and inode in hex: which file this is, whatever its name. */
  key: string;
  /** Birth time in ns since the epoch, as near as a number gets; undefined where the file system has none to be trusted. */
  bornNs?: number;
  sizeBytes: number;
  /** With what the file system has of fractions. */
  modifiedMs: number;
  isFile: boolean;
  isDirectory: boolean;
  /** Number of names; 0 for an open file that was deleted. */
  links: number;
}

export interface OpenFile {
  stat(): Promise<FileStat>;
  /** Reads up to `length` bytes at `position`; fewer at the end of the file. Returns the count. */
  read(into: Uint8Array, at: number, length: number, position: number): Promise<number>;
  close(): Promise<void>;
}

export interface GlobResult {
  /** Absolute paths of whatever a glob of `include` and none of `exclude` matches. */
  paths: string[];
  /** Directories that the globs lead into and that could not be listed, with the reason. */
  unreadable: { path: string; reason: string }[];
  /** What may match and has a name that is not UTF-8, so that it cannot be asked for; U+FFFD stands for what is not. */
  misnamed: string[];
}

/**
 * Something happened to an entry of a directory: it was `written` to (or its attributes have changed), or it was `named`:
 * created, renamed or removed. The directory itself was renamed or removed, or the watch has ended: `gone`.
 */
export interface DirectoryChange {
  what: 'written' | 'named' | 'gone';
  /** The entry's name in the directory; undefined when it cannot be told, for `gone` without a meaning. */
  name: string | undefined;
}

export interface DirectoryWatch {
  /** The directory is on a file system of this machine, which answers at once or never. */
  readonly isLocal: boolean;
  close(): void;
}

export interface FileSystem {
  /** Follows symbolic links. @throws with `code` ENOENT, EACCES, ELOOP, … */
  stat(path: string): Promise<FileStat>;
  /**
   * The same at once, at a fraction of the cost; only for paths in local directories that are no links, because nothing else
   * goes on meanwhile. Undefined when there is nothing to be seen, for whatever reason.
   */
  statLocal(path: string): FileStat | undefined;
  /** Never waits for somebody to write, whatever the path leads to by now. */
  open(path: string): Promise<OpenFile>;
  /**
   * What the globs match now. `enter` is called with each directory in which a match can appear, before it is looked into.
   */
  glob(
    include: readonly string[],
    exclude: readonly string[],
    enter: (directory: string) => Promise<void>,
  ): Promise<GlobResult>;
  /** Names in a directory. */
  list(directory: string): Promise<string[]>;
  /** The path behind all symbolic links. @throws as `stat` */
  realPath(path: string): Promise<string>;
  /**
   * Tells of changes in a directory until it is closed. Changes may come late, merged, or not at all when there are too
   * many. @throws with `code` ENOTSUP where the kernel does not see all writers, ENOSPC when there are no more watches,
   * EMFILE, ENOENT, …
   */
  watch(directory: string, onChange: (change: DirectoryChange) => void): Promise<DirectoryWatch>;
}

const { O_RDONLY, O_NONBLOCK } = constants;

interface BigStats {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  birthtimeNs: bigint;
  nlink: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
}

function fileStat(stats: BigStats): FileStat {
  const { birthtimeNs: born, ctimeNs: changed } = stats;
  return {
    key: `${stats.dev.toString(16)}-${stats.ino.toString(16)}`,
    // statx(2) leaves it 0 where there is none (NFS, FUSE, proc). Without statx, libuv gives the time of the last change in
    // its place, which moves: one that lies before that time is a real one.
    ...(born > 0n && born < changed && { bornNs: Number(born) }),
    sizeBytes: Number(stats.size),
    modifiedMs: Number(stats.mtimeNs) / 1e6,
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    links: Number(stats.nlink),
  };
}

export const nodeFileSystem: FileSystem = {
  stat: async (path) => fileStat(await stat(path, { bigint: true })),
  statLocal: (path) => {
    try {
      return fileStat(statSync(path, { bigint: true }));
    } catch {
      return undefined;
    }
  },
  open: async (path) => {
    // Without O_NONBLOCK, to open a pipe takes until somebody writes to it, and one of the few threads of libuv.
    const handle = await open(path, O_RDONLY | O_NONBLOCK);
    return {
      stat: async () => fileStat(await handle.stat({ bigint: true })),
      read: async (into, at, length, position) => (await handle.read(into, at, length, position)).bytesRead,
      close: () => handle.close(),
    };
  },
  glob: walk,
  list: (directory) => readdir(directory),
  realPath: (path) => realpath(path),
  watch: async (directory, onChange) => {
    const { type } = await statfs(directory);
    if (isRemote(type)) {
      throw Object.assign(new Error(`${directory} is on a file system that others write to`), {
        code: 'ENOTSUP',
      });
    }
    const itself = basename(directory);
    const watcher = watch(directory, { persistent: false }, (event, name) => {
      onChange({ what: event === 'change' ? 'written' : 'named', name: name ?? undefined });
      // The kernel gives the directory its own name when it is the directory that was moved or removed (inotify(7)).
      if (event === 'rename' && name === itself) onChange({ what: 'gone', name: undefined });
    });
    watcher.on('error', () => {
      watcher.close();
      onChange({ what: 'gone', name: undefined });
    });
    return { isLocal: isLocal(type), close: () => watcher.close() };
  },
};
