/** One log file that a pipeline follows, whatever its name is at the moment. */
import type { FileState, Mark } from '../checkpoint/entries.ts';
import type { FileStat, OpenFile } from '../discover/file-system.ts';
import { lastMark } from '../discover/mark.ts';
import type { ReadPosition } from './read-result.ts';

export interface LogFile {
  /** The journal's record of it; its offset trails `position` by what is read and has no intent yet. */
  state: FileState;
  /** Undefined while it is closed: it is idle, or others needed its place. */
  handle: OpenFile | undefined;
  /** Uses of the handle that are under way; it is not closed meanwhile. */
  uses: number;
  /** Monotonic time of the last use of the handle. */
  usedMs: number;
  position: ReadPosition;
  /** What was read in front of the position; undefined when that is not known. */
  mark: Mark | undefined;
  /** A read found other content than the one that was followed. */
  changed: boolean;
  sizeBytes: number;
  /** Its size when it was last sure that this is the content which is followed: growth may be that of other content. */
  certainBytes: number;
  /** Size at which the bytes from `position` on were found to be only the beginning of a record. */
  partialAtBytes: number | undefined;
  /** That the record is complete once nothing has followed for this long; undefined when that would make no difference. */
  partialForMs: number | undefined;
  /** The position lies inside a record that is too long, behind pieces that were cut off it. */
  insideLongLine: boolean;
  /** A read failed or found nothing: the next look at the file sees what became of it. */
  waits: boolean;
  /** Time of modification at the last look. */
  modifiedMs: number;
  /** Monotonic time of the last look at its size. */
  lookedMs: number;
  /** Monotonic time of the last look at everything; see quick-look.ts. */
  thoroughMs: number;
  /** Monotonic time at which its size last changed. */
  grewMs: number;
  /** Monotonic time at which it was known to have changed, for the first time since the last look into it. */
  changedMs: number;
  /** Monotonic time at which a change of it was last told. */
  toldMs: number;
  /** The file that had this one's name before it; its backlog is read first. */
  predecessor: Pick<FileState, 'id' | 'key'> | undefined;
  /**
   * Nothing of it was carried, and it is not sure that it should be: it may be a copy of a file that is about to be
   * truncated, or compressed. `old`: it was there when the agent started, and had not changed for a while.
   */
  unproven: 'new' | 'old' | false;
  /** Why it is held back; see newcomers.ts. */
  hold: Hold | undefined;
  /** Its bytes are no lines, and are left alone. */
  refused: boolean;
  /** No path that the globs match leads to it any more: renamed out of them, replaced, or deleted. */
  detached: boolean;
  /** Monotonic time at which it was found to be so; -Infinity when no look at the names was needed for that. */
  detachedMs: number;
  /** A look at all names that began later found none of it either: one look misses a file that is being renamed. */
  surelyLeft: boolean;
  /** The paths that the globs match and that lead to it: several with hard links and symbolic links. */
  names: string[];
  /** Monotonic time of the next look at its names; -Infinity while there is none to come. */
  namesDueMs: number;
  /** Monotonic time of the next look into it for no other occasion; undefined while there is none to come. */
  contentDueMs: number | undefined;
}

/** A file while its handle is used. */
export type OpenLogFile = LogFile & { handle: OpenFile };

/** The same files in the same order, from `first` on and around; as they are when it is not among them. */
export function beginningAt(files: LogFile[], first: LogFile | undefined): LogFile[] {
  const at = first === undefined ? -1 : files.indexOf(first);
  return at <= 0 ? files : [...files.slice(at), ...files.slice(0, at)];
}

/** A new file that holds what another one holds, as far as it goes. */
export interface Hold {
  /** Id of the other one. */
  of: string;
  /** Monotonic time since which nothing has changed that speaks for a copy in the making. */
  sinceMs: number;
  sizeBytes: number;
  /** How long it was when it was compared with the other one, to its end. */
  equalBytes: number | undefined;
  /** How long the other one was when they were first seen to be equal: a copy gets at least so far. */
  targetBytes: number;
}

/** Whether a read could give something. */
export function hasWork(file: LogFile): boolean {
  if (file.unproven !== false || file.refused) return false;
  if (file.waits || file.sizeBytes <= file.position.offset) return false;
  return file.partialAtBytes !== file.sizeBytes || isQuietFor(file, file.partialForMs);
}

/** Whether the last look found the file as large as `ms` before. Without `ms`, never. */
export function isQuietFor(file: LogFile, ms: number | undefined): boolean {
  return ms !== undefined && file.lookedMs - file.grewMs >= ms;
}

/** Whether the file that had this one's name before it still has something to read. `files` are by device and inode. */
export function waitsForPredecessor(file: LogFile, files: ReadonlyMap<string, LogFile>): boolean {
  const before = predecessorOf(file, files);
  if (before === undefined || !hasWork(before)) return false;
  // Files that have exchanged their names would wait for each other.
  const passed = new Set([before]);
  for (let next = predecessorOf(before, files); next !== undefined; next = predecessorOf(next, files)) {
    if (next === file) return false;
    if (passed.has(next)) break;
    passed.add(next);
  }
  return true;
}

/** Undefined also when its inode belongs to another file now. */
function predecessorOf({ predecessor }: LogFile, files: ReadonlyMap<string, LogFile>): LogFile | undefined {
  const file = predecessor === undefined ? undefined : files.get(predecessor.key);
  return file?.state.id === predecessor?.id ? file : undefined;
}

/** Nobody is expected to write to it: it left the globs, or is a copy. */
export function isLeft(file: LogFile): boolean {
  return file.detached || file.state.copy === true;
}

/** A last line without newline that nobody will complete: nobody writes to the file, and it has been quiet for the bound. */
export function isFinal(file: LogFile, nowMs: number, partialLineTimeoutMs: number): boolean {
  const isSure = file.surelyLeft || file.state.copy === true;
  return isSure && nowMs - file.grewMs >= partialLineTimeoutMs;
}

/**
 * A file from its record on: where it is read next, and nothing known yet of what is there. All of them are made here, with
 * all of their fields: then a hundred thousand share one layout in memory.
 */
export function newLogFile(state: FileState, handle: OpenFile, stat: FileStat, nowMs: number): LogFile {
  const { offset, skipping, restBytes } = state;
  return {
    state,
    handle,
    uses: 0,
    usedMs: nowMs,
    position: { offset, skipping, restBytes },
    mark: lastMark(state),
    changed: false,
    sizeBytes: stat.sizeBytes,
    certainBytes: stat.sizeBytes,
    modifiedMs: stat.modifiedMs,
    partialAtBytes: undefined,
    partialForMs: undefined,
    insideLongLine: false,
    waits: false,
    lookedMs: nowMs,
    thoroughMs: -Infinity,
    grewMs: nowMs,
    changedMs: nowMs,
    toldMs: -Infinity,
    hold: undefined,
    refused: false,
    unproven: 'new',
    predecessor: undefined,
    detached: false,
    detachedMs: -Infinity,
    surelyLeft: false,
    names: [],
    namesDueMs: -Infinity,
    contentDueMs: undefined,
  };
}
