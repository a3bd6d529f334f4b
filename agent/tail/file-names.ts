/**
 * Which names lead to which file now. Told by the kernel where it does that, else looked for at intervals that grow with
 * the time for which a file was quiet; and in any case everything is looked at slowly, because what tells can miss things.
 */
import type { Clock } from '../../shared/clock.ts';
import { messageOf } from '../../shared/errors.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { FileState } from '../checkpoint/entries.ts';
import type { DirectoryWatches, PathListener } from '../discover/directory-watches.ts';
import type { FileStat, FileSystem } from '../discover/file-system.ts';
import { parseGlobs } from '../discover/globs.ts';
import { type FoundFile, lookAtPaths, type PathsNow } from '../discover/paths-now.ts';
import { createDirectories } from './directories.ts';
import { dueQueue } from './due-queue.ts';
import type { LogFile } from './log-file.ts';
import { createUnannounced } from './unannounced.ts';

export interface FileNamesOptions {
  fs: FileSystem;
  include: readonly string[];
  exclude: readonly string[];
  scanIntervalMs: number;
  pollIntervalMs: number;
  /** Undefined: nothing is told, everything is polled. */
  watches: DirectoryWatches | undefined;
  /** The file that is followed under a key; undefined when none is. */
  fileOf(key: string): LogFile | undefined;
  /** Follows the file that a name leads to by now. `refused` or `forbidden` when it cannot be opened: tried again later. */
  follow(
    path: string,
    predecessor: FileState | undefined,
  ): Promise<LogFile | 'gone' | 'refused' | 'forbidden'>;
  /** Something in the file may be new. */
  onChanged(file: LogFile): void;
  /** Its names have changed; it has none any more, or other ones than before. */
  onRenamed(file: LogFile): void;
  /** A file that is closed lost its last name; these paths had a change of name at the same time, outside of the globs. */
  onVanished(file: LogFile, strangers: readonly string[]): Promise<void>;
  /** It was looked at for no occasion, and is as it was. */
  onQuiet(file: LogFile): void;
  /** Something is to be looked at. */
  wake(): void;
  clock: Clock;
  log: RepeatedLog;
}

export interface FileNames {
  /** All globs, and all files that have a name. */
  scan(): Promise<void>;
  /** What was told, and what is due. */
  look(): Promise<void>;
  /** Until `look` has something to do. */
  lookLeftMs(): number;
  /** Monotonic time at which the last look at all globs began that has ended; -Infinity when there was none. */
  readonly scannedFromMs: number;
  /** The last look at all globs saw all that they match, but for what is forbidden. */
  readonly sawAll: boolean;
  /** Looks at all globs as soon as that is not too often. */
  scanSoon(): void;
  /** The file may have another name by now. */
  doubt(path: string): void;
  close(): void;
}

/** Everything is looked at this often, whatever is told. */
export const SLOW_LOOK_MS = 60_000;
/** Files that are due within such a time are looked at together, so that an idle pipeline rarely wakes up. */
const TOGETHER_MS = 1_000;
/** Looks for what was told are this far apart at least: a file that is written to all the time must not keep us busy. */
const MIN_GAP_MS = 100;
/** A file that was quiet for a minute is polled every six seconds. */
const QUIET_SHARE = 0.1;
/** Polling for new files takes at most this share of the time. */
const SCAN_SHARE = 0.02;
/** Changes of names outside of the globs that are kept until the next look. */
const MAX_STRANGERS = 1_000;
/** Spreads the slow looks: multiples of the golden ratio lie evenly between 0 and 1. */
const GOLDEN_RATIO = 0.618_033_988_749_895;

/** Files that are looked at without a pause in between; together they take about a millisecond. */
const LOCAL_AT_ONCE = 256;

function isAsSeen(file: LogFile, stat: FileStat): boolean {
  return stat.sizeBytes === file.sizeBytes && stat.modifiedMs === file.modifiedMs;
}

export function createFileNames(options: FileNamesOptions): FileNames {
  const { fs, include, exclude, clock, log, watches, scanIntervalMs, pollIntervalMs } = options;
  const globs = parseGlobs(include, exclude);
  const literal = new Set(include.map((glob) => glob.replace(/\/+$/, '')));
  const byName = new Map<string, LogFile>();
  const due = dueQueue<LogFile>((file) => file.namesDueMs);
  const gapMs = Math.min(MIN_GAP_MS, scanIntervalMs, pollIntervalMs);
  let doubtful = new Set<string>();
  let strangers = new Set<string>();
  /** Names that lead to files that could not be opened, or to what cannot be carried. */
  let refused = new Set<string>();
  let refusedDueMs = Infinity;
  let refusedWaitMs = scanIntervalMs;
  let scanDueMs = -Infinity;
  /** Not before, whatever is told: a directory that is made and removed all the time must not keep us busy. */
  let scanNotBeforeMs = -Infinity;
  /** How long the last look at all globs took. */
  let lastTookMs = Infinity;
  let scannedFromMs = -Infinity;
  let sawAll = false;
  /** Names that could not be looked at or opened, but for what is forbidden: any file may be behind them. */
  const unseen = new Set<string>();
  let lookedMs = -Infinity;
  let followed = 0;

  const told: PathListener = (path, what) => {
    if (path === undefined || what === 'gone') scanDueMs = -Infinity;
    else if (!tell(path, what)) return;
    options.wake();
  };
  const directories = createDirectories({ fs, watches, told, log });
  const unannounced = createUnannounced({ clock, isDeaf: (path) => directories.isDeaf(path) });

  /** Whether a name is to be looked at: thousands of files are written to all the time, and keep theirs. */
  const tell = (toldPath: string, what: 'written' | 'named'): boolean => {
    const path = directories.linkTo(toldPath) ?? toldPath;
    const file = byName.get(path);
    if (file !== undefined) file.toldMs = clock.monotonicMs();
    if (what === 'written' && file !== undefined) {
      options.onChanged(file);
      return false;
    }
    if (refused.has(path)) refusedDueMs = Math.min(refusedDueMs, clock.monotonicMs() + scanIntervalMs);
    else if (globs.matches(path)) doubtful.add(path);
    else if (what === 'named' && strangers.size < MAX_STRANGERS) strangers.add(path);
    return true;
  };

  const isPolled = (path: string): boolean => directories.isPolled(path);

  /** A time from which on the file is looked at together with others. */
  const setDue = (file: LogFile, found: 'new' | 'changed' | 'quiet'): void => {
    const nowMs = clock.monotonicMs();
    const polled = isPolled(file.names[0]!);
    const quietMs = found === 'changed' ? 0 : (nowMs - file.grewMs) * QUIET_SHARE;
    const waitMs = polled ? Math.min(SLOW_LOOK_MS, Math.max(pollIntervalMs, quietMs)) : SLOW_LOOK_MS;
    const spread = found === 'new' && !polled ? ((followed += 1) * GOLDEN_RATIO) % 1 : 1;
    const together = polled ? Math.min(TOGETHER_MS, pollIntervalMs) : TOGETHER_MS;
    file.namesDueMs = Math.ceil((nowMs + waitMs * spread) / together) * together;
    due.add(file);
  };

  const nameIt = (file: LogFile, path: string): void => {
    byName.set(path, file);
    file.names.push(path);
    if (file.namesDueMs === -Infinity) setDue(file, 'new');
  };
  const unname = (file: LogFile, path: string): void => {
    byName.delete(path);
    file.names = file.names.filter((name) => name !== path);
    directories.noLink(path);
  };

  const notice = (file: LogFile, stat: FileStat): void => {
    if (!isAsSeen(file, stat)) options.onChanged(file);
  };

  const refuse = (path: string): void => {
    refused.add(path);
    refusedDueMs = Math.min(refusedDueMs, clock.monotonicMs() + refusedWaitMs);
  };

  const follow = async (found: FoundFile, predecessor: FileState | undefined): Promise<void> => {
    const { path, stat } = found;
    await directories.ifLink(path);
    const file = options.fileOf(stat.key) ?? (await options.follow(path, predecessor));
    if (typeof file === 'string') {
      directories.noLink(path);
      if (file === 'refused') unseen.add(path);
      if (file !== 'gone') refuse(path);
      return;
    }
    refusedWaitMs = scanIntervalMs;
    nameIt(file, path);
    options.onRenamed(file);
  };

  /** Takes over what paths lead to. Files that only change their names do so before new ones are opened. */
  const reconcile = async ({ found, gone, directories: taken, others }: PathsNow): Promise<void> => {
    const renamed = new Set<LogFile>();
    const fresh: [found: FoundFile, predecessor: FileState | undefined][] = [];
    const loseName = (path: string): LogFile | undefined => {
      const holder = byName.get(path);
      if (holder === undefined) return undefined;
      unname(holder, path);
      renamed.add(holder);
      return holder;
    };
    for (const path of [...gone, ...taken, ...others.map((other) => other.path)]) {
      loseName(path);
      unseen.delete(path);
    }
    for (const { path } of found) unseen.delete(path);
    for (const one of found) {
      const { path, stat } = one;
      const holder = byName.get(path);
      if (holder?.state.key === stat.key) {
        notice(holder, stat);
        continue;
      }
      // The old file's lines come before those of the one that has its name now.
      const predecessor = loseName(path)?.state;
      const file = options.fileOf(stat.key);
      if (file === undefined) fresh.push([one, predecessor]);
      else {
        await directories.ifLink(path);
        nameIt(file, path);
        renamed.add(file);
        notice(file, stat);
      }
    }
    for (const file of renamed) {
      options.onRenamed(file);
      if (file.names.length === 0 && file.handle === undefined) {
        await options.onVanished(file, [...strangers]);
      }
    }
    for (const [one, predecessor] of fresh) await follow(one, predecessor);
  };

  /** Directories that came or went make other files match. */
  const lookAtStrangers = async (): Promise<void> => {
    const onTheWay = [...strangers].filter(globs.leadsTo);
    strangers = new Set();
    if (onTheWay.length === 0) return;
    const { directories: found, gone } = await lookAtPaths(fs, onTheWay);
    if (found.length > 0 || gone.some((path) => directories.has(path))) scanDueMs = -Infinity;
  };

  const complain = ({ refused: paths, others, directories: found }: PathsNow): void => {
    for (const { path, reason, forbidden } of paths) {
      log.error(`refused ${path}`, { path, reason }, `cannot carry ${path}: ${reason}`);
      if (!forbidden) unseen.add(path);
      refuse(path);
    }
    for (const { path, reason } of others) {
      // A glob may match it in passing; who wrote its name expects lines from it.
      const level = literal.has(path) ? 'error' : 'warn';
      const message = `cannot carry ${path}: ${reason}. Name it in files.exclude to be rid of this message`;
      log[level](`refused ${path}`, { path, reason }, message);
      refuse(path);
    }
    for (const path of found) {
      if (!literal.has(path)) continue; // a glob matches directories in passing
      const reason = `it is a directory; to carry the files in it, write ${path}/*`;
      log.error(`refused ${path}`, { path, reason }, `cannot carry ${path}: ${reason}`);
    }
  };

  const lookAt = async (paths: Iterable<string>): Promise<PathsNow> => {
    const now = await lookAtPaths(fs, [...paths]);
    complain(now);
    await reconcile(now);
    return now;
  };

  /** `all`: also the names that are known, which are otherwise looked at when they are due. */
  const scan = async (all: boolean): Promise<void> => {
    const startedMs = clock.monotonicMs();
    scanDueMs = Infinity; // what is told meanwhile brings it forward again
    try {
      const matched = await directories.find(include, exclude);
      const wanted = new Set(matched);
      const vanished = [...byName.keys()].filter((name) => !wanted.has(name));
      const paths = all ? matched : matched.filter((path) => !byName.has(path) && !refused.has(path));
      await lookAt([...paths, ...vanished]);
      sawAll = true;
      for (const path of [...refused, ...unseen]) {
        if (wanted.has(path)) continue;
        refused.delete(path);
        unseen.delete(path);
      }
      scannedFromMs = startedMs;
    } catch (error) {
      sawAll = false;
      log.error('scan', { err: error }, `cannot look for log files: ${messageOf(error)}; trying again`);
    }
    const nowMs = clock.monotonicMs();
    const tookMs = nowMs - startedMs;
    // One look that took much longer than the one before was held up, as by a SIGSTOP.
    scanNotBeforeMs = nowMs + Math.max(scanIntervalMs, Math.min(tookMs, lastTookMs) / SCAN_SHARE);
    lastTookMs = tookMs;
    const waitMs = directories.somePolled() ? 0 : SLOW_LOOK_MS;
    scanDueMs = Math.min(scanDueMs, Math.max(scanNotBeforeMs, nowMs + waitMs));
  };
  const nextScanMs = (): number => Math.max(scanDueMs, scanNotBeforeMs);

  /** Those of `paths` that may lead to something else by now: most of thousands of idle files do not, which costs little. */
  const changedOf = async (paths: readonly string[]): Promise<string[]> => {
    const changed: string[] = [];
    for (const [i, path] of paths.entries()) {
      if (i % LOCAL_AT_ONCE === LOCAL_AT_ONCE - 1) await clock.sleep(0);
      const file = byName.get(path);
      const stat = directories.isLocal(path) ? fs.statLocal(path) : undefined;
      const same = stat !== undefined && file?.state.key === stat.key && isAsSeen(file, stat);
      if (!same) changed.push(path);
    }
    return changed;
  };

  const lookAtDue = async (): Promise<void> => {
    const nowMs = clock.monotonicMs();
    const files = due.take(nowMs, Infinity).filter((file) => {
      file.namesDueMs = -Infinity;
      return file.names.length > 0;
    });
    if (files.length === 0) return;
    const paths = files.flatMap((file) => file.names);
    const now = await lookAtPaths(fs, await changedOf(paths));
    const grown = new Set<LogFile>();
    for (const { path, stat } of now.found) {
      const file = byName.get(path);
      if (file?.state.key !== stat.key || isAsSeen(file, stat)) continue;
      grown.add(file);
      if (!isPolled(path)) unannounced.suspect(file, path);
    }
    complain(now);
    await reconcile(now);
    for (const file of files) {
      if (file.names.length === 0) continue;
      options.onQuiet(file);
      if (file.namesDueMs === -Infinity) setDue(file, grown.has(file) ? 'changed' : 'quiet');
    }
  };

  const retryRefused = async (): Promise<void> => {
    const paths = refused;
    refused = new Set();
    refusedDueMs = Infinity;
    refusedWaitMs = Math.min(2 * refusedWaitMs, SLOW_LOOK_MS);
    await lookAt(paths);
  };

  const nextMs = (): number =>
    Math.min(
      doubtful.size + strangers.size > 0 ? lookedMs + gapMs : Infinity,
      nextScanMs(),
      refusedDueMs,
      due.nextMs,
      unannounced.nextMs,
    );

  return {
    scan: async () => {
      doubtful = new Set();
      refused = new Set();
      strangers = new Set();
      await scan(true);
      lookedMs = clock.monotonicMs();
    },
    look: async () => {
      const nowMs = clock.monotonicMs();
      unannounced.judge();
      const paths = doubtful;
      doubtful = new Set();
      if (paths.size > 0) await lookAt(paths);
      await lookAtStrangers();
      if (refusedDueMs <= nowMs) await retryRefused();
      if (nextScanMs() <= nowMs) await scan(false);
      await lookAtDue();
      lookedMs = clock.monotonicMs();
    },
    lookLeftMs: () => nextMs() - clock.monotonicMs(),
    get scannedFromMs() {
      return scannedFromMs;
    },
    get sawAll() {
      return sawAll && unseen.size === 0;
    },
    scanSoon: () => {
      scanDueMs = -Infinity;
      options.wake();
    },
    doubt: (path) => {
      if (globs.matches(path)) doubtful.add(path);
      options.wake();
    },
    close: () => directories.close(),
  };
}
