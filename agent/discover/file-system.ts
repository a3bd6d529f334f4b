/** What the agent asks of a file system; an interface, so that a simulation can own rotation, faults and time. */
import { constants, fstatSync, readSync, readvSync, statSync, watch } from 'node:fs';
import { type FileHandle, open, readdir, realpath, stat, statfs } from 'node:fs/promises';
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

export type Growth = Pick<FileStat, 'sizeBytes' | 'modifiedMs'>;

export interface OpenFile {
  stat(): Promise<FileStat>;
  /** Reads up to `length` bytes at `position`; fewer at the end of the file. Returns the count. */
  read(into: Uint8Array, at: number, length: number, position: number): Promise<number>;
  /** The same into `first` and, where that ends, into `second`, in one call of the system. */
  readBoth(first: Uint8Array, second: Uint8Array, position: number): Promise<number>;
  /** Of what `stat` gives that which changes, at once; undefined where somebody might have to wait for it, or it fails. */
  growthNow(): Growth | undefined;
  /** As `readBoth`, at once; undefined where somebody might have to wait for it, or it fails. */
  readBothNow(first: Uint8Array, second: Uint8Array, position: number): number | undefined;
  close(): Promise<void>;
}

export type ReadableFile = Pick<OpenFile, 'read'>;

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
const BIG = { bigint: true } as const;
const NS_PER_S = 1_000_000_000n;

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
    // As Node computes it where numbers are not big: the two are compared.
    modifiedMs: Number(stats.mtimeNs / NS_PER_S) * 1e3 + Number(stats.mtimeNs % NS_PER_S) / 1e6,
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    links: Number(stats.nlink),
  };
}

/** Numbers of devices are used again, when something else is mounted. */
const DEVICE_KNOWN_MS = 60_000;
const devices = new Map<bigint, { isLocal: Promise<boolean>; untilMs: number }>();

/** Whether the device under `path` is a disk, or the memory, of this machine: it answers at once or never. */
function isOnLocalDevice(device: bigint, path: string): Promise<boolean> {
  const known = devices.get(device);
  if (known !== undefined && Date.now() < known.untilMs) return known.isLocal;
  const isLocalType = statfs(path).then(
    ({ type }) => isLocal(type),
    () => false, // it has another name by now
  );
  devices.set(device, { isLocal: isLocalType, untilMs: Date.now() + DEVICE_KNOWN_MS });
  return isLocalType;
}

/** What was written so lately is in the page cache still. */
const LATELY_MS = 5_000;
/** More takes so long to copy that the thread pool should do it. */
const SHORT_READ_BYTES = 64 * 1024;

/**
 * A call through the thread pool costs thirty microseconds of CPU, and one at once two or three. With a thousand files
 * that grow all the time that is most of what the agent does. So what surely waits for no disk and no other machine is
 * done at once: the inode of an open file on a local device, and what was written to it a moment ago.
 */
function openFile(handle: FileHandle, path: string): OpenFile {
  /** Undefined until its first stat. */
  let local: boolean | undefined;
  let writtenMs = -Infinity;
  const isInMemory = (length: number): boolean =>
    local === true && handle.fd !== -1 && length <= SHORT_READ_BYTES && Date.now() - writtenMs < LATELY_MS;
  return {
    stat: async () => {
      const stats = local === true ? fstatSync(handle.fd, BIG) : await handle.stat(BIG);
      local ??= await isOnLocalDevice(stats.dev, path);
      const found = fileStat(stats);
      writtenMs = found.modifiedMs;
      return found;
    },
    read: async (into, at, length, position) => {
      if (isInMemory(length)) return readSync(handle.fd, into, at, length, position);
      return (await handle.read(into, at, length, position)).bytesRead;
    },
    readBoth: async (first, second, position) => {
      if (isInMemory(first.length + second.length)) return readvSync(handle.fd, [first, second], position);
      return (await handle.readv([first, second], position)).bytesRead;
    },
    growthNow: () => {
      if (local !== true) return undefined;
      try {
        const { size: sizeBytes, mtimeMs: modifiedMs } = fstatSync(handle.fd);
        writtenMs = modifiedMs;
        return { sizeBytes, modifiedMs };
      } catch {
        return undefined;
      }
    },
    readBothNow: (first, second, position) => {
      if (!isInMemory(first.length + second.length)) return undefined;
      try {
        return readvSync(handle.fd, [first, second], position);
      } catch {
        return undefined;
      }
    },
    close: () => handle.close(),
  };
}

export const nodeFileSystem: FileSystem = {
  stat: async (path) => fileStat(await stat(path, BIG)),
  statLocal: (path) => {
    try {
      return fileStat(statSync(path, BIG));
    } catch {
      return undefined;
    }
  },
  open: async (path) => {
    // Without O_NONBLOCK, to open a pipe takes until somebody writes to it, and one of the few threads of libuv.
    return openFile(await open(path, O_RDONLY | O_NONBLOCK), path);
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
