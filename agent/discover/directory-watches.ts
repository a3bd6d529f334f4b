/**
 * The directories that the process watches: one watch each, whatever the number of pipelines that want to hear of it, and
 * a bounded number. Where there can be no watch, or one turned out to be deaf, the files in it must be polled.
 */
import { join } from 'node:path';
import type { Clock } from '../../shared/clock.ts';
import { errnoOf, messageOf } from '../../shared/errors.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { DirectoryChange, DirectoryWatch, FileSystem } from './file-system.ts';

/** Something happened to what `path` leads to; undefined when it may have happened to anything in the directory. */
export type PathListener = (path: string | undefined, what: DirectoryChange['what']) => void;

export interface WatchedDirectory {
  /** Changes are not told: look for them. */
  readonly polled: boolean;
  /** See DirectoryWatch. */
  readonly isLocal: boolean;
  /** Makes sure that what is watched is the directory that has this path now. */
  renew(): Promise<void>;
  /** A change at `path` was seen that nobody had told of. */
  isDeaf(path: string): void;
  /** Twice is fine. */
  close(): void;
}

export interface DirectoryWatches {
  /** Watches that there are. */
  readonly count: number;
  /** Never rejects: what cannot be watched is polled. Nothing that happens after it has resolved is missed. */
  watch(directory: string, listener: PathListener): Promise<WatchedDirectory>;
}

/** How long a directory that could not be watched is left alone. */
const RETRY_MS = 60_000;
/**
 * As many changes within a second as the kernel queues by default (fs.inotify.max_queued_events). It drops what comes
 * beyond that, and neither libuv nor Node says so: then anything may have happened.
 */
const QUEUED_EVENTS = 16_384;
const BURST_MS = 1_000;
/** Least time between two suspicions of that kind; a look at everything must not become the load. */
const SUSPICION_MS = 10_000;

interface Watched {
  readonly directory: string;
  /** The directory with a slash behind it. */
  readonly prefix: string;
  readonly listeners: Set<PathListener>;
  watch: DirectoryWatch | undefined;
  /** Which directory it is that is watched. */
  key: string | undefined;
  deaf: boolean;
  triedMs: number;
  starting: Promise<void> | undefined;
}

export function createDirectoryWatches(options: {
  fs: Pick<FileSystem, 'stat' | 'watch'>;
  maxWatches: number;
  clock: Clock;
  log: RepeatedLog;
}): DirectoryWatches {
  const { fs, clock, log } = options;
  const all = new Map<string, Watched>();
  let count = 0;
  let burst = { sinceMs: 0, changes: 0 };
  let suspectedMs = -Infinity;

  const suspectLoss = (): void => {
    const nowMs = clock.monotonicMs();
    if (nowMs - burst.sinceMs > BURST_MS) burst = { sinceMs: nowMs, changes: 0 };
    burst.changes += 1;
    if (burst.changes < QUEUED_EVENTS || nowMs - suspectedMs < SUSPICION_MS) return;
    suspectedMs = nowMs;
    for (const { listeners } of all.values()) for (const listener of listeners) listener(undefined, 'named');
  };

  const stop = (watched: Watched): void => {
    if (watched.watch === undefined) return;
    watched.watch.close();
    watched.watch = undefined;
    count -= 1;
  };

  const tell = (watched: Watched, { what, name }: DirectoryChange): void => {
    suspectLoss();
    if (what === 'gone') watched.key = undefined;
    // Of thousands of changes a second, so not `join`.
    const path = name === undefined ? undefined : `${watched.prefix}${name}`;
    for (const listener of watched.listeners) listener(path, what);
  };

  const complain = (directory: string, error: unknown): void => {
    const code = errnoOf(error);
    const fields = { directory, err: error };
    if (code === 'ENOENT' || code === 'ENOTDIR') return; // it went away; when it comes back it is found
    if (code === 'ENOTSUP') {
      log.warn(
        `watch ${directory}`,
        { directory },
        `${messageOf(error)}: changes in it are found by polling`,
      );
    } else if (code === 'EDQUOT') {
      log.warn('watch', fields, `${messageOf(error)}: changes in further ones are found by polling`);
    } else {
      const remedy = 'raise fs.inotify.max_user_watches (ENOSPC) or fs.inotify.max_user_instances (EMFILE)';
      log.warn(
        'watch',
        fields,
        `cannot watch a directory: ${messageOf(error)}; changes in it are found by polling. If that is too slow, ${remedy}`,
      );
    }
  };

  const start = async (watched: Watched): Promise<void> => {
    const { directory } = watched;
    try {
      const { key } = await fs.stat(directory);
      if (watched.watch !== undefined && watched.key === key) return;
      const isNew = watched.key !== key;
      const nowMs = clock.monotonicMs();
      if (!isNew && nowMs - watched.triedMs < RETRY_MS) return;
      stop(watched);
      watched.triedMs = nowMs;
      watched.key = key;
      if (isNew) watched.deaf = false;
      if (count >= options.maxWatches) {
        const message = `limits.maxWatchedDirectories (${options.maxWatches}) is reached`;
        throw Object.assign(new Error(message), { code: 'EDQUOT' });
      }
      count += 1;
      watched.watch = await fs
        .watch(directory, (change) => tell(watched, change))
        .catch((error: unknown) => {
          count -= 1;
          throw error;
        });
      if (watched.listeners.size === 0) stop(watched);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') stop(watched);
      complain(directory, error);
    }
  };

  const renew = (watched: Watched): Promise<void> =>
    (watched.starting ??= start(watched).finally(() => {
      watched.starting = undefined;
    }));

  return {
    get count() {
      return count;
    },
    watch: async (directory, listener) => {
      const watched = all.get(directory) ?? {
        directory,
        prefix: join(directory, '/'),
        listeners: new Set(),
        watch: undefined,
        key: undefined,
        deaf: false,
        triedMs: -Infinity,
        starting: undefined,
      };
      all.set(directory, watched);
      watched.listeners.add(listener);
      await renew(watched);
      return {
        get polled() {
          return watched.deaf || watched.watch === undefined;
        },
        get isLocal() {
          return watched.watch?.isLocal ?? false;
        },
        renew: () => renew(watched),
        isDeaf: (path) => {
          if (watched.deaf) return;
          watched.deaf = true;
          log.warn(
            `deaf ${directory}`,
            { directory, path },
            'a file has grown and the kernel did not tell; from now on this directory is polled',
          );
        },
        close: () => {
          watched.listeners.delete(listener);
          if (watched.listeners.size > 0 || all.get(directory) !== watched) return;
          all.delete(directory);
          stop(watched);
        },
      };
    },
  };
}
