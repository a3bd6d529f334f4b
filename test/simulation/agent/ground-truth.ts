/**
 * What any reader could have carried. It watches the disk and says up to which byte a content may be missing: because it
 * was truncated, or lost its last name, before a process that could read it had the time to open it. How much of that must
 * have been counted as lost: knowable-losses.ts.
 */
import { dirname } from 'node:path';
import type { ProcessLife } from '../support/process-life.ts';
import type { DiskWatch, SimDisk } from '../support/sim-disk.ts';
import { matchesGlobs } from '../support/sim-file-system.ts';
import type { Content, FileNode } from '../support/sim-inode.ts';
import { knowableLosses } from './knowable-losses.ts';

export interface GroundTruth {
  readonly watch: DiskWatch;
  of(disk: SimDisk): void;
  began(life: ProcessLife): void;
  /** The process closes its files from here on because it was asked to end. */
  stopping(): void;
  /** The file system has just refused something, or the process stood still: who misses a file now is excused. */
  disturbed(): void;
  /** From here on the journal cannot always be written: what a process learns may die with it. */
  journalFails(): void;
  /** The journal was damaged while no process ran: what it knew of files outside of the globs may be forgotten. */
  journalDamaged(): void;
  /** Bytes of a content, from its beginning, that may be missing. */
  excusedBytes(content: Content): number;
  /** Bytes of a truncated content, from its beginning, of which the agent must know that they existed. */
  knowableBytes(content: Content): number;
  /** Whether a file with this content was outside of the globs at any time: there its last line may be cut. */
  leftGlobs(content: Content): boolean;
}

export function groundTruth(options: {
  nowMs: () => number;
  include: readonly string[];
  exclude: readonly string[];
  /** A process that ran for so long has opened what the globs match. */
  noticeMs: number;
  /** What a process has known for so long has reached its journal. */
  settledMs: number;
}): GroundTruth {
  const { nowMs, include, exclude } = options;
  let disk: SimDisk;
  let life: ProcessLife | undefined;
  let ending = false;
  let forgetful = false;
  let undisturbedSinceMs = 0;
  const excused = new Map<Content, number>();
  const left = new Set<Content>();
  /** When the process opened a file, and the directories in which files were that a journal knows. */
  const openedMs = new Map<FileNode, number>();
  const knownIn = new Map<FileNode, Set<string>>();
  const truncated = new Set<Content>();
  const losses = knowableLosses(options);

  const pathsOf = (file: FileNode): string[] =>
    disk.paths().filter((path) => disk.has(path) && disk.file(path) === file);
  const inGlobs = (path: string): boolean => matchesGlobs(path, include, exclude);
  /** The journal has the name under which the globs found a file, and the file is looked for beside it. */
  const learn = (file: FileNode, paths: readonly string[]): void => {
    const sinceMs = openedMs.get(file);
    if (sinceMs === undefined || nowMs() - sinceMs < options.settledMs) return;
    const directories = knownIn.get(file) ?? new Set();
    for (const path of paths) if (inGlobs(path)) directories.add(dirname(path));
    knownIn.set(file, directories);
  };
  const isReachable = (file: FileNode): boolean => {
    if (file.readers > 0) return true;
    // An end in peace forgets as much as a death when the journal cannot be written.
    if (forgetful && ending) return pathsOf(file).some(inGlobs);
    return pathsOf(file).some((path) => inGlobs(path) || knownIn.get(file)?.has(dirname(path)) === true);
  };
  /** A process that had the time and did not open the file, or closed it, has no excuse. */
  const hadTheTime = (content: Content): boolean =>
    life?.alive === true &&
    !life.frozen &&
    !ending &&
    nowMs() - Math.max(undisturbedSinceMs, content.bornMs) >= options.noticeMs;
  /** What is there now, or also what is written to it later. */
  const excuse = (content: Content, bytes = Infinity): void => {
    excused.set(content, Math.max(excused.get(content) ?? 0, bytes));
  };

  const died = (mine: ProcessLife): void => {
    if (life !== mine) return;
    losses.died();
    if (forgetful) knownIn.clear();
    for (const file of openedMs.keys()) {
      if (!forgetful) learn(file, pathsOf(file));
      if (!pathsOf(file).some((path) => inGlobs(path) || knownIn.get(file)?.has(dirname(path)) === true)) {
        excuse(file.content);
      }
    }
    openedMs.clear();
  };

  return {
    watch: {
      truncating: (file) => {
        const { content } = file;
        excuse(content, content.size);
        truncated.add(content);
        losses.truncating(file, content);
      },
      opened: (file) => {
        if (life?.alive === true && !openedMs.has(file)) openedMs.set(file, nowMs());
      },
      looked: (file, content, sizeBytes) => {
        if (life?.alive === true && !openedMs.has(file)) openedMs.set(file, nowMs());
        losses.looked(file, content, sizeBytes);
      },
      read: losses.read,
      lessReachable: (file, how, path) => {
        if (path !== undefined && inGlobs(path) && !pathsOf(file).some(inGlobs)) left.add(file.content);
        if (path !== undefined) learn(file, [path]);
        if (how === 'closed' && file.readers === 0) openedMs.delete(file);
        if (how === 'died' || isReachable(file)) return; // a death is looked at when it is complete
        if (how === 'closed' && !ending) return;
        if (!hadTheTime(file.content)) excuse(file.content);
      },
    },
    of: (of) => {
      disk = of;
    },
    began: (begun) => {
      life = begun;
      ending = false;
      undisturbedSinceMs = nowMs();
      begun.onDeath(() => died(begun));
    },
    stopping: () => {
      ending = true;
    },
    disturbed: () => {
      undisturbedSinceMs = nowMs();
    },
    journalFails: () => {
      forgetful = true;
    },
    journalDamaged: () => {
      knownIn.clear();
      for (const file of disk.files) if (!isReachable(file)) excuse(file.content);
    },
    excusedBytes: (content) => excused.get(content) ?? 0,
    knowableBytes: (content) => (truncated.has(content) ? losses.bytes(content) : 0),
    leftGlobs: (content) => left.has(content),
  };
}
