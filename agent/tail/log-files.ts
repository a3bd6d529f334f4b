/**
 * The files of one pipeline: found by globs, known by device, inode and first bytes, followed through renames and
 * truncation until they are finished. Names are looked at by one loop (file-names.ts has them), contents by another, which
 * brokers may hold up for hours.
 */
import type { Clock } from '../../shared/clock.ts';
import { messageOf } from '../../shared/errors.ts';
import type { Framing } from '../../shared/framing/framing.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { FileState } from '../checkpoint/entries.ts';
import { hasOpenIntent } from '../checkpoint/state.ts';
import type { DirectoryWatches } from '../discover/directory-watches.ts';
import type { FileStat, FileSystem, OpenFile } from '../discover/file-system.ts';
import { isForbidden } from '../discover/paths-now.ts';
import { absentFiles } from './absent-files.ts';
import { createFileAttention } from './file-attention.ts';
import { createFileAccess } from './file-access.ts';
import { createContentLook } from './content-look.ts';
import { createFileNames } from './file-names.ts';
import { createDisplaced } from './displaced.ts';
import { createKnownFiles } from './known-files.ts';
import { type LogFile, newLogFile, type OpenLogFile } from './log-file.ts';
import { createNewcomers, patienceMs } from './newcomers.ts';
import type { OpenFiles } from './open-files.ts';
import { reopenFile } from './reopen-file.ts';
import { quickLook } from './quick-look.ts';
import { createSeenBytes } from './seen-bytes.ts';
import { watchTruncation } from './truncation.ts';

export interface LogFilesOptions {
  fs: FileSystem;
  journal: Journal;
  include: readonly string[];
  exclude: readonly string[];
  startAt: 'beginning' | 'end';
  scanIntervalMs: number;
  pollIntervalMs: number;
  closeIdleAfterMs: number;
  closeRotatedAfterMs: number;
  partialLineTimeoutMs: number;
  framing: Framing;
  openFiles: OpenFiles;
  /** Undefined: everything is polled. */
  watches: DirectoryWatches | undefined;
  /** `scan` or `look` has something to do. */
  readonly wakeNames: () => void;
  /** `poll` has something to do. */
  readonly wakeContents: () => void;
  /** There are so many files that what is known of them takes most of the memory. */
  readonly onManyFiles: () => void;
  /** Bytes that went away unread. */
  readonly onLost: (bytes: number, reason: 'truncated' | 'read-error' | 'deleted') => void;
  /** Bytes of a hole, which nobody ever wrote, were passed over. */
  readonly onHole: (bytes: number) => void;
  clock: Clock;
  logger: Logger;
  log: RepeatedLog;
}

export interface LogFiles {
  readonly all: Iterable<LogFile>;
  /** Looks at all globs and names. */
  scan(): Promise<void>;
  /** Looks at the names of which changes were told, and at those that are due. */
  look(): Promise<void>;
  /** Until `look` has something to do; Infinity while it has not. */
  lookLeftMs(): number;
  /** Looks for new bytes and truncation in the files that have changed, and lets finished ones go. */
  poll(): Promise<void>;
  /** Until `poll` has something to do; Infinity while it has not. */
  pollLeftMs(): number;
  /** Files with something to read, those first that had something first. */
  withWork(): LogFile[];
  /** Uses an open file, opening it if need be; undefined when that cannot be now. */
  use<T>(file: LogFile, work: (file: OpenLogFile) => Promise<T>): Promise<T | undefined>;
  /** The same at once; undefined also when `work` says so, which then has changed nothing. */
  useNow<T>(file: LogFile, work: (file: OpenLogFile) => T | undefined): T | undefined;
  /**
   * Opens a file for reading old bytes again; undefined when it cannot be found any more. Close it when done. @throws when
   * it cannot be looked for
   */
  reopen(id: string): Promise<OpenFile | undefined>;
  close(): Promise<void>;
}

/** How often files that left the globs are looked for: they may have grown, or be gone and ready to be forgotten. */
const ABSENT_INTERVAL_MS = 60_000;
/** A look at all names takes this long at most, unless there are millions. */
const LONGEST_LOOK_MS = 10_000;
/** A closed file that has grown for so many looks into files would have been read by now if nothing held that up. */
const HELD_UP_LOOKS = 4;
/** Looks into files without a pause in between: on local disks they give nobody else a turn. They take milliseconds. */
const LOOKS_AT_ONCE = 256;
/** So many new files are opened between two flushes of the journal. */
const FLUSH_EVERY = 1_000;
/** So many new files are many. */
const MANY_FILES = 1_000;

export function createLogFiles(options: LogFilesOptions): LogFiles {
  const { fs, journal, clock, logger, log, openFiles, pollIntervalMs } = options;
  /** By device and inode. */
  const files = new Map<string, LogFile>();
  /** Keys of files that are about to be in there. */
  const adopting = new Set<string>();
  const seen = createSeenBytes(journal, clock);
  const attention = createFileAttention({ pollIntervalMs, wake: options.wakeContents, clock });
  /** Closed files that have grown: brokers may hold up the reading of them until they have no name any more. */
  let grown = new Set<LogFile>();
  let grownSinceMs = Infinity;
  let scanned = false;
  let opened = 0;
  let lookedForAbsentMs = -Infinity;
  /** When files of open batches were not where they were, and their directories neither, by id. */
  const notFoundMs = new Map<string, number>();
  /** A pipeline that never ran before gives startAt its meaning. */
  const firstRun = journal.state.nextFile === 1;
  /** Who had which path last, and when the agent ended: a file that has it now comes after that one. */
  const formerHolders = new Map([...journal.state.files.values()].map((state) => [state.path, state]));

  const { onLost } = options;
  const known = createKnownFiles({
    journal,
    framing: options.framing,
    onDisplaced: (state, by) => {
      displaced.addKnown(state, by);
      options.wakeContents();
    },
    logger,
  });

  /** Whether nobody has looked at all names since the file was not found for the first time, which was not long ago. */
  const mayBeRenamed = (id: string): boolean => {
    const nowMs = clock.monotonicMs();
    const sinceMs = notFoundMs.get(id) ?? nowMs;
    notFoundMs.set(id, sinceMs);
    return names.scannedFromMs <= sinceMs && nowMs - sinceMs < LONGEST_LOOK_MS;
  };

  const isFollowed = (file: LogFile): boolean => files.get(file.state.key) === file;

  const begin = (file: LogFile): void => {
    files.set(file.state.key, file);
    openFiles.used(file);
    newcomers.note(file);
    attention.soon(file);
  };

  /** Found at the start of the agent, and unchanged for so long that nobody can be copying it just now. */
  const isOld = ({ modifiedMs, bornNs = 0, sizeBytes }: FileStat): boolean =>
    !scanned && clock.nowMs() - Math.max(modifiedMs, bornNs / 1e6) > patienceMs(sizeBytes);

  /** Whether the file has to be told from a copy before it is carried. */
  const unproven = (state: FileState, stat: FileStat, detached: boolean): LogFile['unproven'] => {
    if (state.offset > 0 || detached || state.afterTruncation === true) return false;
    return isOld(stat) ? 'old' : 'new';
  };

  /** Opens what `path` leads to now and follows it, unless it is followed already. */
  const adopt = async (path: string, detached: boolean, predecessor?: FileState): Promise<LogFile> => {
    const handle = await openFiles.open(path);
    let key: string | undefined;
    try {
      const stat = await handle.stat();
      if (!stat.isFile) throw new Error('it is not a regular file any more'); // replaced since its name was looked at
      const already = files.get(stat.key);
      if (already !== undefined) {
        await handle.close(); // another name of a file that was opened a moment ago
        return already;
      }
      key = stat.key;
      adopting.add(key);
      const fromEnd = options.startAt === 'end' && firstRun && !scanned;
      const state = await known.recognise(handle, stat, path, fromEnd ? stat.sizeBytes : 0);
      const file = newLogFile(state, handle, stat, clock.monotonicMs());
      // When it was longer in an earlier life, the first look sees that it was cut off.
      file.sizeBytes = Math.max(file.sizeBytes, state.seenBytes ?? 0);
      file.detached = detached;
      if (detached) file.detachedMs = clock.monotonicMs();
      file.unproven = unproven(state, stat, detached);
      file.predecessor = predecessor && { id: predecessor.id, key: predecessor.key };
      begin(file);
      const { offset } = state;
      logger.debug({ path, file: state.id, offset, sizeBytes: stat.sizeBytes }, 'following a file');
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    } finally {
      if (key !== undefined) adopting.delete(key);
    }
  };

  const adoptOrComplain = async (
    path: string,
    predecessor: FileState | undefined,
  ): Promise<LogFile | 'gone' | 'refused' | 'forbidden'> => {
    try {
      return await adopt(path, false, predecessor);
    } catch (error) {
      // Renamed or deleted just now: the next look finds it.
      if (!access.complain(path, error)) return 'gone';
      return isForbidden(error) ? 'forbidden' : 'refused';
    }
  };

  const follow = async (
    path: string,
    holder: FileState | undefined,
  ): Promise<LogFile | 'gone' | 'refused' | 'forbidden'> => {
    if ((opened += 1) % FLUSH_EVERY === 0) await journal.flush();
    if (opened === MANY_FILES) options.onManyFiles();
    const predecessor = holder ?? formerHolders.get(path);
    const before = predecessor === undefined ? undefined : files.get(predecessor.key);
    if (before !== undefined) attention.soon(before); // its last lines come first
    return adoptOrComplain(path, predecessor);
  };

  const onRenamed = (file: LogFile): void => {
    const { names, state } = file;
    if (names.length > 0) {
      file.detached = false;
      file.surelyLeft = false;
      // With hard links the name stays the one that was found first.
      if (!names.includes(state.path)) journal.append({ t: 'move', id: state.id, path: names[0]! });
      return;
    }
    if (file.detached) return;
    file.detached = true;
    file.detachedMs = clock.monotonicMs();
    formerHolders.set(state.path, state);
    file.grewMs = clock.monotonicMs();
    attention.soon(file);
    logger.debug({ path: state.path, file: state.id }, 'a file left the globs; reading it to its end');
  };

  const drop = (file: LogFile): void => {
    files.delete(file.state.key);
    attention.forget(file);
    grown.delete(file);
    newcomers.forget(file);
    seen.forget(file);
  };

  /**
   * The journal has it: it is looked for among the absent ones. Unless it was read on since the last intent: that is known
   * here only, and who found it again would read those lines twice.
   */
  const dropClosed = (file: LogFile): void => {
    if (file.state.offset === file.position.offset) drop(file);
    else attention.later(file, options.scanIntervalMs);
  };

  /** A file without a handle lost its last name: it was renamed to one of `strangers`, or elsewhere, or deleted. */
  const onVanished = async (file: LogFile, strangers: readonly string[]): Promise<void> => {
    for (const path of strangers) {
      const stat = await fs.stat(path).catch(() => undefined);
      if (stat?.key !== file.state.key) continue;
      journal.append({ t: 'move', id: file.state.id, path });
      attention.soon(file);
      return;
    }
    if (file.uses > 0 || file.handle !== undefined || file.names.length > 0) return;
    dropClosed(file);
  };

  const absent = absentFiles({
    fs,
    journal,
    isOpen: (key) => files.has(key),
    follow: async (path) => {
      await adopt(path, true);
    },
    forget: known.forget,
    log,
  });

  /** Everything that was read of it is acknowledged. Never by what was known before an await: an intent may be new. */
  const isAcknowledged = ({ state, position }: LogFile): boolean =>
    state.offset === position.offset && !hasOpenIntent(journal.state, state.id);

  const letGo = async (file: LogFile, links: number): Promise<void> => {
    const { state } = file;
    // What is read and has no intent yet, or no commit, may have to be read again.
    if (!isAcknowledged(file)) return;
    drop(file);
    await openFiles.close(file);
    logger.debug({ path: state.path, file: state.id, offset: state.offset }, 'finished a rotated file');
    // A deleted file's inode will be used again; one that has a name somewhere may come back into the globs.
    if (links === 0) known.forget(state);
  };

  const onQuiet = (file: LogFile): void => {
    const idleMs = clock.monotonicMs() - file.usedMs;
    if (file.handle === undefined || file.uses > 0 || idleMs < options.closeIdleAfterMs) return;
    if (file.position.offset < file.sizeBytes || attention.isChanged(file)) return;
    if (isAcknowledged(file)) void openFiles.close(file).catch(reportClose);
  };
  const reportClose = (error: unknown): void => {
    log.warn('close', { err: error }, `closing an idle log file failed: ${messageOf(error)}`);
  };

  const names = createFileNames({
    fs,
    include: options.include,
    exclude: options.exclude,
    scanIntervalMs: options.scanIntervalMs,
    pollIntervalMs,
    watches: options.watches,
    fileOf: (key) => files.get(key),
    follow,
    onChanged: (file) => {
      attention.soon(file);
      if (file.handle !== undefined || !openFiles.hasRoom) return;
      if (grown.size === 0) {
        grownSinceMs = clock.monotonicMs();
        options.wakeNames();
      }
      grown.add(file);
    },
    onRenamed,
    onVanished,
    onQuiet,
    wake: options.wakeNames,
    clock,
    log,
  });

  const lookForAbsent = async (): Promise<void> => {
    if (clock.monotonicMs() - lookedForAbsentMs < ABSENT_INTERVAL_MS) return;
    lookedForAbsentMs = clock.monotonicMs();
    await absent.look();
    for (const [path, { key }] of formerHolders) if (!files.has(key)) formerHolders.delete(path);
  };

  /** Another file has its inode now: it was deleted while it was closed. */
  const replace = async (file: OpenLogFile, stat: FileStat): Promise<void> => {
    displaced.add(file, 'reused', file.sizeBytes);
    file.state = await known.remember(file.handle, stat, file.state.path, 0);
    file.position = { offset: 0, skipping: false };
    Object.assign(file, {
      mark: undefined,
      certainBytes: 0,
      partialAtBytes: undefined,
      insideLongLine: false,
      refused: false,
    });
    file.unproven = unproven(file.state, stat, file.detached);
    newcomers.note(file);
  };

  const access = createFileAccess({
    openFiles,
    pollIntervalMs,
    isFollowed,
    doubt: (path) => names.doubt(path),
    drop: dropClosed,
    replace,
    onUsed: (file, opened) => {
      if (!opened) {
        file.waits = true;
        attention.later(file, options.scanIntervalMs);
      }
      if (file.changed) attention.soon(file);
      if (isFollowed(file)) attention.judge(file); // at once: nobody may ask for work before something happens
    },
    clock,
    log,
  });

  const openGrownAtMs = (): number =>
    grown.size > 0 ? grownSinceMs + HELD_UP_LOOKS * pollIntervalMs : Infinity;
  const openGrown = async (): Promise<void> => {
    if (clock.monotonicMs() < openGrownAtMs()) return;
    const some = grown;
    grown = new Set();
    for (const file of some) {
      if (!openFiles.hasRoom) return; // it would take the place of one that has grown as well
      if (isFollowed(file) && file.handle === undefined && file.uses === 0)
        await access.use(file, () => Promise.resolve());
    }
  };

  const pollOrComplain = async (file: LogFile): Promise<void> => {
    try {
      await access.use(file, lookInto);
    } catch (error) {
      const fields = { path: file.state.path, err: error };
      log.error(`poll ${file.state.id}`, fields, 'cannot look at a log file; trying again');
      attention.later(file, pollIntervalMs);
    }
  };

  const displaced = createDisplaced({
    fs,
    journal,
    known,
    files,
    open: (path) => openFiles.open(path),
    follow: begin,
    isTaken: (key) => files.has(key) || adopting.has(key),
    onLost,
    clock,
    logger,
    log,
  });
  const truncation = watchTruncation({ known, displaced, onLost, logger });
  const newcomers = createNewcomers({
    files,
    displaced,
    use: (file, work) => access.use(file, work),
    drop: async (file) => {
      drop(file);
      await openFiles.close(file);
    },
    clock,
    logger,
  });

  const lookInto = createContentLook({
    ...options,
    names,
    attention,
    truncation,
    newcomers,
    displaced,
    seen,
    isFollowed,
    letGo,
  });

  const lookQuickly = (file: LogFile): boolean => {
    if (!quickLook(file, clock.monotonicMs())) return false;
    openFiles.used(file);
    seen.looked(file);
    attention.atItsEnd(file);
    attention.judge(file);
    return true;
  };

  const poll = async (): Promise<void> => {
    for (const file of seen.due()) attention.soon(file);
    for (const [i, file] of attention.take().entries()) {
      if (i % LOOKS_AT_ONCE === LOOKS_AT_ONCE - 1) await clock.sleep(0);
      if (isFollowed(file) && !lookQuickly(file)) await pollOrComplain(file);
    }
    await displaced.look();
  };

  return {
    get all() {
      return files.values();
    },
    scan: async () => {
      await names.scan();
      await lookForAbsent();
      for (const file of files.values()) if (file.detached || file.unproven !== false) attention.soon(file);
      // Before anything is built again from them, files are where they are now.
      if (!scanned) await poll();
      if (firstRun && !scanned)
        journal.append({ t: 'counters', file: Math.max(2, journal.state.nextFile), intent: 0 });
      scanned = true;
    },
    look: async () => {
      await names.look();
      await openGrown();
      await lookForAbsent();
    },
    lookLeftMs: () => {
      const dueMs = Math.min(openGrownAtMs(), lookedForAbsentMs + ABSENT_INTERVAL_MS);
      return Math.min(names.lookLeftMs(), dueMs - clock.monotonicMs());
    },
    poll,
    pollLeftMs: () => Math.min(attention.nextMs, displaced.nextMs, seen.nextMs) - clock.monotonicMs(),
    withWork: () => attention.withWork(files),
    useNow: (file, work) => (file.changed ? undefined : access.useNow(file, work)),
    use: (file, work) => access.use(file, (open) => (open.changed ? Promise.resolve(undefined) : work(open))),
    reopen: async (id) => {
      const found = await reopenFile(id, { fs, openFiles, files, remembered: journal.state.files });
      if (found !== 'no directory') notFoundMs.delete(id);
      if (found !== undefined && found !== 'no directory') return found;
      if (!names.sawAll) throw new Error('not all that the globs match can be looked at');
      if (found === 'no directory' && mayBeRenamed(id)) {
        names.scanSoon();
        throw new Error('its directory may have been renamed since the last look at all names');
      }
      return undefined;
    },
    close: async () => {
      names.close();
      for (const file of files.values()) {
        seen.keep(file);
        await openFiles.close(file);
      }
      files.clear();
    },
  };
}
