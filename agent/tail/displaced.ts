/**
 * Content whose inode was taken from it. With copytruncate somebody made a copy before, and the lines that were not read
 * are in it; it is looked for, for a while, and reading goes on there under the old file's name. What is not found is lost,
 * is counted and said with its place.
 */
import { dirname } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { Displacement, FileState, Mark } from '../checkpoint/entries.ts';
import { hasOpenIntent } from '../checkpoint/state.ts';
import { deviceOf, listDirectory } from '../discover/directory.ts';
import type { FileSystem, OpenFile } from '../discover/file-system.ts';
import { LEAD_BYTES, readAt } from '../discover/fingerprint.ts';
import { lastMark } from '../discover/mark.ts';
import { type Holding, holding } from '../discover/same-content.ts';
import type { FoundFile } from '../discover/paths-now.ts';
import type { KnownFiles } from './known-files.ts';
import { type LogFile, newLogFile, type OpenLogFile } from './log-file.ts';
import type { ReadPosition } from './read-result.ts';
import { createTruncationLosses } from './truncation-losses.ts';

export interface DisplacedFile {
  state: FileState;
  position: ReadPosition;
  mark: Mark | undefined;
  insideLongLine: boolean;
  predecessor: LogFile['predecessor'];
  /** When it was last written to, as far as that is known. */
  modifiedMs: number;
  sinceMs: number;
  nextLookMs: number;
  lookAgainMs: number;
  /** The bound has passed, and what is lost was said; the record stays while an intent needs it. */
  givenUp: boolean;
}

export interface Displaced {
  /** The content of `file`, which was `seenBytes` long, has lost its inode; its record stays until it is found or given up. */
  add(file: LogFile, by: Displacement, seenBytes: number): DisplacedFile;
  /** The same for a file that was not open, of which the journal knows as much as `state` says. */
  addKnown(state: FileState, by: Displacement): DisplacedFile;
  /** The displaced content that `file`, of which nothing was carried, holds. */
  match(file: OpenLogFile): Promise<{ found: DisplacedFile; how: Holding } | undefined>;
  /** Reading goes on in `file`, which holds all that was read, and is a copy of it. */
  goOnIn(file: LogFile, found: DisplacedFile): void;
  /** `file` is a copy that ends before the place up to which the original was read: there is nothing in it to read. */
  passOver(file: LogFile, found: DisplacedFile): void;
  /**
   * The content that `file` had before it was emptied was `bytes` long: there its writer goes on. What nobody had seen of
   * it is looked for with the rest, or, when that is settled, counted as lost.
   */
  reached(file: LogFile, bytes: number): void;
  /** Looks for copies that the globs do not match, and gives up what was not found. */
  look(): Promise<void>;
  /** Monotonic time at which `look` has something to do; Infinity without any. */
  readonly nextMs: number;
}

export interface DisplacedOptions {
  fs: FileSystem;
  journal: Journal;
  known: KnownFiles;
  /** By device and inode. */
  files: Map<string, LogFile>;
  open(path: string): Promise<OpenFile>;
  /** Another file is followed from now on. */
  follow(file: LogFile): void;
  /** Whether the globs have found a file with this key, or are about to follow it. */
  isTaken(key: string): boolean;
  /** Bytes that nobody can read any more. */
  readonly onLost: (bytes: number, reason: 'truncated') => void;
  clock: Clock;
  logger: Logger;
  log: RepeatedLog;
}

/** A copy exists before its original is emptied. It may be renamed in this time, and be missed by a look. */
export const SEARCH_MS = 15_000;
const FIRST_LOOK_AGAIN_MS = 250;
/** How often it is seen whether an intent that holds up the end of a record is settled. */
const SETTLED_LOOK_MS = 1_000;
/** Files of a directory that are opened and compared in one look, the most recently written first. */
const MAX_COMPARED = 64;
const NEWLINE = 0x0a;

/** The beginning of a line, and so little of it that many files begin like that: one that is being written, not a copy. */
async function isSlight(file: OpenFile, sizeBytes: number): Promise<boolean> {
  return sizeBytes < LEAD_BYTES[0] && (await readAt(file, sizeBytes - 1, 1))[0] !== NEWLINE;
}

export function createDisplaced(options: DisplacedOptions): Displaced {
  const { fs, journal, known, files, clock, logger, log } = options;
  const displaced = new Set<DisplacedFile>();
  const losses = createTruncationLosses(options);

  const begin = (
    state: FileState,
    read: Pick<DisplacedFile, 'position' | 'mark' | 'insideLongLine' | 'predecessor' | 'modifiedMs'>,
  ): DisplacedFile => {
    const nowMs = clock.monotonicMs();
    const one: DisplacedFile = {
      state,
      ...read,
      sinceMs: nowMs,
      nextLookMs: nowMs,
      lookAgainMs: FIRST_LOOK_AGAIN_MS,
      givenUp: false,
    };
    displaced.add(one);
    return one;
  };

  const addKnown = (state: FileState, by: Displacement): DisplacedFile => {
    const { id, offset, skipping, restBytes } = state;
    const seenBytes = Math.max(offset, state.seenBytes ?? 0);
    if (state.displaced === undefined) journal.append({ t: 'displaced', id, by, seenBytes });
    const position = { offset, skipping, restBytes };
    return begin(state, {
      position,
      mark: lastMark(state),
      insideLongLine: false,
      predecessor: undefined,
      modifiedMs: Infinity,
    });
  };

  /** The last content that an inode had before the one that it has now, as long as that is looked for. */
  const lastOf = (key: string): DisplacedFile | undefined =>
    [...displaced].findLast(({ state }) => state.key === key);

  /** Says what is lost of `one`, when only the bytes up to `readableBytes` are still to be had. */
  const countLost = (one: DisplacedFile, readableBytes: number): void => {
    const { state, position } = one;
    const successor = lastOf(state.key) === one ? files.get(state.key)?.state : undefined;
    losses.settle(state, Math.max(position.offset, readableBytes), successor);
  };

  const isFound = (one: DisplacedFile, path: string, key: string, sizeBytes: number): void => {
    countLost(one, sizeBytes);
    displaced.delete(one);
    const successor = files.get(one.state.key);
    if (successor !== undefined && successor.state !== one.state) {
      successor.predecessor = { id: one.state.id, key };
    }
    logger.info(
      { path: one.state.path, copy: path, file: one.state.id, offset: one.position.offset, sizeBytes },
      'the file was emptied; reading the rest of it from its copy',
    );
  };

  const contentOf = ({ state, position, mark }: DisplacedFile) => ({ state, offset: position.offset, mark });

  const takeRest = async (one: DisplacedFile, { path, stat }: FoundFile, handle: OpenFile): Promise<void> => {
    if (options.isTaken(stat.key) || known.has(stat.key)) {
      await handle.close(); // found by the globs a moment ago: then it is compared as a new file
      return;
    }
    isFound(one, path, stat.key, stat.sizeBytes);
    known.moved(one.state, stat, path, true);
    const { position, mark, insideLongLine, predecessor } = one;
    const base = newLogFile(one.state, handle, stat, clock.monotonicMs());
    options.follow({
      ...base,
      position,
      mark,
      insideLongLine,
      predecessor,
      unproven: false,
      detached: true,
    });
  };

  const lookForCopy = async (one: DisplacedFile): Promise<void> => {
    const directory = await listDirectory(fs, dirname(one.state.path));
    const candidates = [...(directory?.files.values() ?? [])]
      .filter(({ stat }) => stat.sizeBytes >= one.position.offset && stat.sizeBytes > 0)
      .filter(({ stat }) => !options.isTaken(stat.key) && !known.has(stat.key))
      .sort((a, b) => b.stat.modifiedMs - a.stat.modifiedMs)
      .slice(0, MAX_COMPARED);
    let best: { found: FoundFile; handle: OpenFile } | undefined;
    for (const { path } of candidates) {
      const handle = await options.open(path).catch(() => undefined); // gone meanwhile, or not ours to read
      if (handle === undefined) continue;
      const stat = await handle.stat();
      const whole = (await holding(handle, stat.sizeBytes, contentOf(one))) === 'whole';
      if (whole && stat.sizeBytes > (best?.found.stat.sizeBytes ?? -1)) {
        await best?.handle.close();
        best = { found: { path, stat }, handle };
      } else await handle.close();
    }
    if (best !== undefined) await takeRest(one, best.found, best.handle);
  };

  /** Whether a new file is being compared with it still. */
  const isWaitedFor = (one: DisplacedFile): boolean =>
    [...files.values()].some(({ hold }) => hold?.of === one.state.id);

  const giveUp = (one: DisplacedFile): void => {
    const { state, position } = one;
    if (!one.givenUp) {
      countLost(one, 0);
      // A later process neither looks for it nor counts it again.
      journal.append({ t: 'displaced', id: state.id, by: 'reused', seenBytes: position.offset });
    }
    one.givenUp = true;
    // What is read and has no intent yet, or no commit, may have to be accounted for.
    if (state.offset !== position.offset || hasOpenIntent(journal.state, state.id)) return;
    displaced.delete(one);
    known.forget(state);
  };

  for (const state of journal.state.files.values()) {
    if (state.displaced !== undefined) addKnown(state, state.displaced.by);
  }

  const addDisplaced = (state: FileState, by: Displacement): DisplacedFile => {
    known.displace(state);
    return addKnown(state, by);
  };

  /** A file of another device that was moved to where `file` is now while the agent was down: it is not where it was. */
  const movedTo = async (file: OpenLogFile): Promise<FileState | undefined> => {
    for (const state of known.elsewhere(deviceOf(file.state.key))) {
      if (state.offset === 0 || files.has(state.key)) continue;
      const content = { state, offset: state.offset, mark: lastMark(state) };
      if ((await holding(file.handle, file.sizeBytes, content)) !== 'whole') continue;
      const directory = await listDirectory(fs, dirname(state.path));
      if (directory === undefined || directory.unseen !== undefined) continue;
      if (!directory.files.has(state.key)) return state;
    }
    return undefined;
  };

  const dueMs = (one: DisplacedFile): number => {
    const endMs = one.sinceMs + SEARCH_MS;
    if (one.givenUp || one.nextLookMs >= endMs) return Math.max(endMs, one.nextLookMs);
    return one.state.displaced?.by === 'emptied' ? one.nextLookMs : endMs;
  };

  return {
    get nextMs() {
      return Math.min(Infinity, ...[...displaced].map(dueMs));
    },
    add: (file, by, seenBytes) => {
      const { state, position, mark, insideLongLine, predecessor, modifiedMs } = file;
      journal.append({ t: 'displaced', id: state.id, by, seenBytes });
      known.displace(state);
      return begin(state, { position, mark, insideLongLine, predecessor, modifiedMs });
    },
    addKnown: addDisplaced,
    match: async (file) => {
      let part: DisplacedFile | undefined;
      for (const one of displaced) {
        // A file that was deleted, and made again with the same beginning, is no copy. One that was moved into another file
        // system is.
        const elsewhere = deviceOf(one.state.key) !== deviceOf(file.state.key);
        if (one.givenUp || one.state.key === file.state.key) continue;
        if (one.state.displaced?.by === 'reused' && !elsewhere) continue;
        const stat = await file.handle.stat();
        const how = await holding(file.handle, stat.sizeBytes, contentOf(one));
        if (how === 'whole') return { found: one, how };
        // It ends before the place up to which was read, so the original was written to when the copy was finished.
        const finished = how === 'part' && stat.modifiedMs <= one.modifiedMs;
        const compared = file.hold?.of === one.state.id && file.hold.equalBytes === stat.sizeBytes;
        if ((finished || compared) && !(await isSlight(file.handle, stat.sizeBytes))) part ??= one;
      }
      if (part !== undefined) return { found: part, how: 'part' };
      const moved = await movedTo(file);
      return moved && { found: addDisplaced(moved, 'reused'), how: 'whole' };
    },
    goOnIn: (file, found) => {
      const own = file.state;
      isFound(found, own.path, own.key, file.sizeBytes);
      known.moved(found.state, { key: own.key, bornNs: own.bornNs }, own.path, true);
      journal.append({ t: 'forget', id: own.id });
      const { state, position, mark, insideLongLine, predecessor } = found;
      Object.assign(file, { state, position, mark, insideLongLine, predecessor });
      Object.assign(file, { partialAtBytes: undefined, unproven: false, hold: undefined });
      file.grewMs = clock.monotonicMs();
    },
    passOver: (file, found) => {
      journal.append({ t: 'skip', id: file.state.id, to: file.sizeBytes, skipping: false });
      Object.assign(file, { unproven: false, hold: undefined });
      file.position = { offset: file.sizeBytes, skipping: false };
      logger.info(
        { path: file.state.path, of: found.state.path, sizeBytes: file.sizeBytes },
        'the file is a copy that was made before all of it was read from the original; there is nothing new in it',
      );
      giveUp(found);
    },
    reached: ({ state }, bytes) => losses.reached(state, bytes, lastOf(state.key)?.state),
    look: async () => {
      const nowMs = clock.monotonicMs();
      for (const one of displaced) {
        if (one.givenUp || nowMs - one.sinceMs >= SEARCH_MS) {
          one.nextLookMs = nowMs + SETTLED_LOOK_MS;
          if (!isWaitedFor(one)) giveUp(one);
        } else if (nowMs >= one.nextLookMs && one.state.displaced?.by === 'emptied') {
          one.nextLookMs = nowMs + one.lookAgainMs;
          one.lookAgainMs *= 2;
          try {
            await lookForCopy(one);
          } catch (error) {
            const { path } = one.state;
            log.warn(`copy of ${path}`, { path, err: error }, `cannot look for a copy: ${messageOf(error)}`);
          }
        }
      }
    },
  };
}
