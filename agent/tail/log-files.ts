/**
 * The files of one pipeline: found by globs, known by device, inode and first bytes, followed through renames and
 * truncation until they are finished.
 */
import { dirname } from 'node:path';
import type { Clock } from '../../shared/clock.ts';
import { errnoOf, messageOf } from '../../shared/errors.ts';
import type { Framing } from '../../shared/framing/framing.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { Journal } from '../checkpoint/journal.ts';
import { type FileState, hasOpenIntent } from '../checkpoint/state.ts';
import { listDirectory } from '../discover/directory.ts';
import type { FileStat, FileSystem, OpenFile } from '../discover/file-system.ts';
import { FINGERPRINT_BYTES, fingerprintOf, fits } from '../discover/fingerprint.ts';
import { type FoundFile, scan } from '../discover/scan.ts';
import { absentFiles } from './absent-files.ts';
import { createKnownFiles } from './known-files.ts';
import { createDisplaced } from './displaced.ts';
import { passHole } from './hole.ts';
import { hasWork, isFinal, isLeft, type LogFile, newLogFile, waitsForPredecessor } from './log-file.ts';
import { createNewcomers, patienceMs } from './newcomers.ts';
import { watchTruncation } from './truncation.ts';

export interface LogFilesOptions {
  fs: FileSystem;
  journal: Journal;
  include: readonly string[];
  exclude: readonly string[];
  startAt: 'beginning' | 'end';
  closeRotatedAfterMs: number;
  partialLineTimeoutMs: number;
  framing: Framing;
  maxOpenFiles: number;
  /** Bytes that went away unread. */
  readonly onLost: (bytes: number, reason: 'truncated' | 'read-error') => void;
  /** Bytes of a hole, which nobody ever wrote, were passed over. */
  readonly onHole: (bytes: number) => void;
  clock: Clock;
  logger: Logger;
  log: RepeatedLog;
}

export interface LogFiles {
  readonly all: Iterable<LogFile>;
  /** Looks for new, renamed and vanished files. */
  scan(): Promise<void>;
  /** Looks for new bytes and truncation in the open files, and lets finished ones go. */
  poll(): Promise<void>;
  /** Files with something to read, the least recently written first. */
  withWork(): LogFile[];
  /** Opens a file for reading old bytes again; undefined when it cannot be found any more. Close it when done. */
  reopen(id: string): Promise<OpenFile | undefined>;
  close(): Promise<void>;
}

/** How often files that left the globs are looked for: they may have grown, or be gone and ready to be forgotten. */
const ABSENT_INTERVAL_MS = 60_000;

export function createLogFiles(options: LogFilesOptions): LogFiles {
  const { fs, journal, clock, logger, log } = options;
  /** By device and inode. */
  const files = new Map<string, LogFile>();
  /** Keys of files that are about to be in there. */
  const adopting = new Set<string>();
  let scanned = false;
  let lookedForAbsentMs = -Infinity;
  /** A pipeline that never ran before gives startAt its meaning. */
  const firstRun = journal.state.nextFile === 1;

  const known = createKnownFiles({
    journal,
    framing: options.framing,
    onDisplaced: (state, by) => displaced.addKnown(state, by),
    logger,
  });
  const { onLost } = options;
  const displaced = createDisplaced({
    fs,
    journal,
    known,
    files,
    isTaken: (key) => files.has(key) || adopting.has(key),
    onLost,
    clock,
    logger,
    log,
  });
  const truncation = watchTruncation({ known, displaced, onLost, logger });
  const newcomers = createNewcomers({ files, displaced, clock, logger });

  /** Found at the start of the agent, and unchanged for so long that nobody can be copying it just now. */
  const isSettled = ({ modifiedMs, bornNs = 0, sizeBytes }: FileStat): boolean =>
    !scanned && clock.nowMs() - Math.max(modifiedMs, bornNs / 1e6) > patienceMs(sizeBytes);

  const adopt = async (path: string, detached: boolean, predecessor?: FileState): Promise<void> => {
    const handle = await fs.open(path);
    try {
      const stat = await handle.stat();
      if (files.has(stat.key)) {
        await handle.close(); // another name of a file that was opened a moment ago
        return;
      }
      adopting.add(stat.key);
      const fromEnd = options.startAt === 'end' && firstRun && !scanned;
      const state = await known.recognise(handle, stat, path, fromEnd ? stat.sizeBytes : 0);
      adopting.delete(stat.key);
      const file = { ...newLogFile(state, handle, stat, clock.monotonicMs()), detached };
      const before = predecessor && { id: predecessor.id, key: predecessor.key };
      const proven = state.offset > 0 || detached || state.afterTruncation === true;
      const unproven = proven ? false : isSettled(stat) ? 'old' : 'new';
      files.set(stat.key, { ...file, unproven, predecessor: before });
      newcomers.note(files.get(stat.key)!);
      const { offset } = state;
      logger.debug({ path, file: state.id, offset, sizeBytes: stat.sizeBytes }, 'following a file');
    } catch (error) {
      adopting.clear();
      await handle.close();
      throw error;
    }
  };

  const adoptOrComplain = async (path: string, predecessor: FileState | undefined): Promise<void> => {
    if (files.size >= options.maxOpenFiles) {
      log.warn(
        'open files',
        { path, maxOpenFiles: options.maxOpenFiles },
        'limits.maxOpenFiles is reached; further files wait',
      );
      return;
    }
    try {
      await adopt(path, false, predecessor);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENOENT') return; // renamed or deleted just now; the next look finds it
      log.error(
        `open ${path}`,
        { path, err: error },
        `cannot read a log file: ${messageOf(error)}; trying again at each look`,
      );
    }
  };

  const absent = absentFiles({
    fs,
    journal,
    isOpen: (key) => files.has(key),
    follow: async (path) => {
      if (files.size < options.maxOpenFiles) await adopt(path, true);
    },
    forget: known.forget,
    log,
  });

  const letGo = async (file: LogFile, links: number): Promise<void> => {
    const { state } = file;
    // What is read and has no intent yet, or no commit, may have to be read again.
    if (state.offset !== file.position.offset || hasOpenIntent(journal.state, state.id)) return;
    files.delete(state.key);
    await file.handle.close();
    logger.debug({ path: state.path, file: state.id, offset: state.offset }, 'finished a rotated file');
    // A deleted file's inode will be used again; one that has a name somewhere may come back into the globs.
    if (links === 0) known.forget(state);
  };

  /** Writes down what identifies the file, as far as it was not known. */
  const knowBetter = async (file: LogFile, stat: FileStat): Promise<void> => {
    const { fingerprint, id, bornNs } = file.state;
    // A file that was made just now has not shown that it has a birth time (see nodeFileSystem).
    if (bornNs === undefined && stat.bornNs !== undefined)
      journal.append({ t: 'born', id, bornNs: stat.bornNs });
    if (fingerprint.bytes >= FINGERPRINT_BYTES || file.sizeBytes <= fingerprint.bytes) return;
    const wanted = Math.min(file.sizeBytes, FINGERPRINT_BYTES);
    journal.append({ t: 'fingerprint', id, fingerprint: await fingerprintOf(file.handle, wanted) });
    newcomers.note(file);
  };

  const pollOne = async (file: LogFile): Promise<void> => {
    const nowMs = clock.monotonicMs();
    const stat = await file.handle.stat();
    file.waits = false;
    if (!file.refused) await truncation.look(file, stat, nowMs);
    file.lookedMs = nowMs;
    file.modifiedMs = stat.modifiedMs;
    if (stat.sizeBytes !== file.sizeBytes) {
      file.sizeBytes = stat.sizeBytes;
      file.grewMs = nowMs;
    }
    if (file.unproven !== false) await newcomers.look(file, stat);
    await passHole(file, options.framing, journal, options.onHole);
    await knowBetter(file, stat);
    if (!isLeft(file)) return;
    // Its last line will not be completed: read it again, as final.
    if (isFinal(file, nowMs, options.partialLineTimeoutMs)) file.partialAtBytes = undefined;
    if (!file.detached || newcomers.isWaitedFor(file)) return;
    const read = file.position.offset >= file.sizeBytes || file.refused;
    if (read && nowMs - file.grewMs >= options.closeRotatedAfterMs) await letGo(file, stat.links);
  };

  const pollOrComplain = async (file: LogFile): Promise<void> => {
    try {
      await pollOne(file);
    } catch (error) {
      log.error(
        `poll ${file.state.id}`,
        { path: file.state.path, err: error },
        'cannot look at a log file; trying again',
      );
    }
  };

  const settle = async (): Promise<void> => {
    for (const file of files.values()) if (file.unproven !== false) await pollOrComplain(file);
    await displaced.look();
  };

  const reconcile = async (found: readonly FoundFile[]): Promise<void> => {
    const paths = new Map<string, string[]>();
    for (const { path, stat } of found) paths.set(stat.key, [...(paths.get(stat.key) ?? []), path]);
    // Taken before names change hands: with a rotation the old file's lines come before those of the new one.
    const holders = new Map([...journal.state.files.values()].map((state) => [state.path, state]));
    for (const [key, names] of paths) {
      const file = files.get(key);
      if (file === undefined) await adoptOrComplain(names[0]!, holders.get(names[0]!));
      else {
        file.detached = false;
        // With hard links the name stays the one that was found first.
        if (!names.includes(file.state.path))
          journal.append({ t: 'move', id: file.state.id, path: names[0]! });
      }
    }
    for (const [key, file] of files) {
      if (paths.has(key) || file.detached) continue;
      file.detached = true;
      file.grewMs = clock.monotonicMs();
      logger.debug(
        { path: file.state.path, file: file.state.id },
        'a file left the globs; reading it to its end',
      );
    }
  };

  return {
    get all() {
      return files.values();
    },
    scan: async () => {
      const { files: found, refused } = await scan(fs, options.include, options.exclude);
      for (const { path, reason } of refused) {
        log.error(`refused ${path}`, { path, reason }, `cannot carry ${path}: ${reason}`);
      }
      await reconcile(found);
      if (clock.monotonicMs() - lookedForAbsentMs >= ABSENT_INTERVAL_MS) {
        lookedForAbsentMs = clock.monotonicMs();
        await absent.look();
      }
      // Before anything is built again from them, files are where they are now.
      if (!scanned) await settle();
      if (firstRun && !scanned)
        journal.append({ t: 'counters', file: Math.max(2, journal.state.nextFile), intent: 0 });
      scanned = true;
    },
    poll: async () => {
      for (const file of files.values()) await pollOrComplain(file);
      await displaced.look();
    },
    withWork: () => [...files.values()].filter((file) => hasWork(file) && !waitsForPredecessor(file, files)),
    reopen: async (id) => {
      const state = journal.state.files.get(id);
      if (state === undefined) return undefined;
      const followed = files.get(state.key);
      // The open file itself: its name may lead nowhere any more. It is not let go while an intent needs it.
      if (followed?.state.id === id) return { ...followed.handle, close: () => Promise.resolve() };
      const found = (await listDirectory(fs, dirname(state.path)))?.files.get(state.key);
      if (found === undefined) return undefined;
      const handle = await fs.open(found.path);
      if (await fits(handle, state.fingerprint)) return handle;
      await handle.close();
      return undefined;
    },
    close: async () => {
      for (const file of files.values()) await file.handle.close();
      files.clear();
    },
  };
}
