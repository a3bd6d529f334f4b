/** What the agent asks of a file system; an interface, so that a simulation can own rotation, faults and time. */
import { open, readdir, stat } from 'node:fs/promises';
import { glob } from 'tinyglobby';

export interface FileStat {
  /** Device and inode in hex: which file this is, whatever its name. */
  key: string;
  sizeBytes: number;
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

export interface FileSystem {
  /** Follows symbolic links. @throws with `code` ENOENT, EACCES, ELOOP, … */
  stat(path: string): Promise<FileStat>;
  open(path: string): Promise<OpenFile>;
  /** Absolute paths of everything but directories that a glob of `include` and none of `exclude` matches. */
  glob(include: readonly string[], exclude: readonly string[]): Promise<string[]>;
  /** Names in a directory. */
  list(directory: string): Promise<string[]>;
}

interface BigStats {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeMs: bigint;
  nlink: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
}

function fileStat(stats: BigStats): FileStat {
  return {
    key: `${stats.dev.toString(16)}-${stats.ino.toString(16)}`,
    sizeBytes: Number(stats.size),
    modifiedMs: Number(stats.mtimeMs),
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    links: Number(stats.nlink),
  };
}

export const nodeFileSystem: FileSystem = {
  stat: async (path) => fileStat(await stat(path, { bigint: true })),
  open: async (path) => {
    const handle = await open(path, 'r');
    return {
      stat: async () => fileStat(await handle.stat({ bigint: true })),
      read: async (into, at, length, position) => (await handle.read(into, at, length, position)).bytesRead,
      close: () => handle.close(),
    };
  },
  glob: (include, exclude) =>
    glob([...include], {
      ignore: [...exclude],
      absolute: true,
      dot: true,
      onlyFiles: false,
      expandDirectories: false,
    }),
  list: (directory) => readdir(directory),
};
