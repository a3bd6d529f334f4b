/** The directories that a pipeline hears of: those in which its globs can match, and those of links' targets. */
import { basename, dirname, join } from 'node:path';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { DirectoryWatches, PathListener, WatchedDirectory } from '../discover/directory-watches.ts';
import type { FileSystem } from '../discover/file-system.ts';

export interface Directories {
  /** What the globs match now; from here on changes in the directories in which they can match are told. */
  find(include: readonly string[], exclude: readonly string[]): Promise<string[]>;
  has(directory: string): boolean;
  /** Whether changes of what this path leads to are not told. */
  isPolled(path: string): boolean;
  /** Whether what this path leads to is on a file system that cannot hang. */
  isLocal(path: string): boolean;
  somePolled(): boolean;
  /** A change of what this path leads to was not told. */
  isDeaf(path: string): void;
  /** If a symbolic link has this path, what is written to its target is told as well from here on. */
  ifLink(path: string): Promise<void>;
  noLink(path: string): void;
  /** The link that leads to a path. */
  linkTo(target: string): string | undefined;
  close(): void;
}

export function createDirectories(options: {
  fs: Pick<FileSystem, 'glob' | 'realPath'>;
  /** Undefined: nothing is told. */
  watches: DirectoryWatches | undefined;
  told: PathListener;
  log: RepeatedLog;
}): Directories {
  const { fs, watches, told, log } = options;
  const watched = new Map<string, WatchedDirectory>();
  /** Directories that the last look at the globs went through. */
  let entered = new Set<string>();
  /** What links lead to, and what leads to it. */
  const targets = new Map<string, string>();
  const links = new Map<string, string>();
  /** Where directories are behind links, until the next look at the globs. */
  let realDirectories = new Map<string, string>();
  let closed = false;

  const listen = async (directory: string): Promise<void> => {
    if (watches === undefined) return;
    const known = watched.get(directory);
    if (known !== undefined) {
      await known.renew();
      return;
    }
    const fresh = await watches.watch(directory, told);
    if (closed || watched.has(directory)) fresh.close();
    else watched.set(directory, fresh);
  };

  const letGo = (): void => {
    const needed = new Set([...entered, ...[...targets.values()].map(dirname)]);
    for (const [directory, watch] of watched) {
      if (needed.has(directory)) continue;
      watch.close();
      watched.delete(directory);
    }
  };

  const realDirectory = async (directory: string): Promise<string> => {
    const known = realDirectories.get(directory) ?? (await fs.realPath(directory));
    realDirectories.set(directory, known);
    return known;
  };

  const directoryOf = (path: string): string => dirname(targets.get(path) ?? path);

  return {
    find: async (include, exclude) => {
      const entering = new Set<string>();
      realDirectories = new Map();
      const { paths, unreadable, misnamed } = await fs.glob(include, exclude, async (directory) => {
        entering.add(directory);
        await listen(directory);
      });
      entered = entering;
      letGo();
      for (const { path, reason } of unreadable) {
        log.error(`refused ${path}`, { path, reason }, `cannot look for log files in ${path}: ${reason}`);
      }
      for (const path of misnamed) {
        const reason = 'its name is not valid UTF-8; rename it';
        log.error(`refused ${path}`, { path, reason }, `cannot carry ${path}: ${reason}`);
      }
      return paths;
    },
    has: (directory) => entered.has(directory),
    isPolled: (path) => watched.get(directoryOf(path))?.polled ?? true,
    isLocal: (path) => !targets.has(path) && (watched.get(dirname(path))?.isLocal ?? false),
    somePolled: () =>
      entered.size === 0 || [...entered].some((directory) => watched.get(directory)?.polled ?? true),
    isDeaf: (path) => watched.get(directoryOf(path))?.isDeaf(path),
    ifLink: async (path) => {
      if (watches === undefined) return;
      try {
        const target = await fs.realPath(path);
        if (target === join(await realDirectory(dirname(path)), basename(path))) return;
        targets.set(path, target);
        links.set(target, path);
        await listen(dirname(target));
      } catch {
        // Gone again, or not ours to look at: who opens it finds out.
      }
    },
    noLink: (path) => {
      const target = targets.get(path);
      if (target === undefined) return;
      targets.delete(path);
      if (links.get(target) === path) links.delete(target);
    },
    linkTo: (target) => links.get(target),
    close: () => {
      closed = true;
      for (const watch of watched.values()) watch.close();
      watched.clear();
    },
  };
}
