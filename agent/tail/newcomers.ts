/**
 * Files of which nothing was carried yet. Before the first line of one is read it must be sure that the file is not a copy
 * of another one: copytruncate copies first and truncates afterwards, and for a moment there are two files with the same
 * content. Which of two it was shows a little later: the original is emptied, or both go on.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { compressedFormat } from '../discover/compressed.ts';
import { deviceOf } from '../discover/directory.ts';
import type { FileStat, OpenFile } from '../discover/file-system.ts';
import { FINGERPRINT_BYTES, readAt } from '../discover/fingerprint.ts';
import type { Displaced } from './displaced.ts';
import type { LogFile, OpenLogFile } from './log-file.ts';
import { similarFiles } from './similar-files.ts';
import { isStillThere } from './truncation.ts';

export interface Newcomers {
  /** Decides, or puts off, what becomes of an unproven file. Call it at each look, before the file is read. */
  look(file: OpenLogFile, stat: FileStat): Promise<void>;
  /** The file's first bytes are known now, or better than before: others can be compared with it. */
  note(file: LogFile): void;
  /** The file is not followed any more. */
  forget(file: LogFile): void;
  /** Whether another file is held back because of this one. */
  isWaitedFor(file: LogFile): boolean;
}

export interface NewcomersOptions {
  /** By device and inode. */
  files: Map<string, LogFile>;
  displaced: Displaced;
  /** Opens a file if need be; undefined when that cannot be now. */
  use<T>(file: LogFile, work: (file: OpenLogFile) => Promise<T>): Promise<T | undefined>;
  /** Nothing more is to be read of the file under its inode. */
  drop(file: LogFile): Promise<void>;
  clock: Clock;
  logger: Logger;
}

/**
 * How long a file that equals another one is held back: whoever copies and truncates forces the copy to disk in between,
 * which takes longer the larger it is.
 */
export function patienceMs(sizeBytes: number): number {
  return Math.min(120_000, 5_000 + sizeBytes / 20_000);
}

/** Files with the same first bytes that one look at a new file opens and compares. */
const MAX_COMPARED = 64;
/** Bytes compared at the end of the shorter file, besides the first kilobyte. */
const END_BYTES = 1024;

/** A file of which that is known longer, by birth where it is known, is no copy of the other. */
function isElder(one: LogFile, other: LogFile): boolean {
  const [a, b] = [one.state.bornNs, other.state.bornNs];
  if (a !== undefined && b !== undefined && a !== b) return a < b;
  const [p, q] = [one.state.path, other.state.path];
  return p.length === q.length ? p < q : p.length < q.length;
}

export function createNewcomers(options: NewcomersOptions): Newcomers {
  const { files, displaced, clock, logger } = options;
  const similar = similarFiles();
  const held = new Set<LogFile>();

  /** Files that may begin as `head` does, and of which `file` may be a copy. */
  const similarTo = (file: LogFile, head: Buffer): LogFile[] => {
    const found: LogFile[] = [];
    for (const other of similar.beginningAs(head)) {
      if (other === file || other.refused || files.get(other.state.key) !== other) continue;
      if (other.unproven === false || isElder(other, file)) found.push(other);
      if (found.length >= MAX_COMPARED) break;
    }
    return found;
  };

  const sameEnd = async (one: OpenFile, other: OpenFile, sizeBytes: number): Promise<boolean> => {
    const from = Math.max(0, sizeBytes - END_BYTES);
    const [a, b] = await Promise.all([one, other].map((handle) => readAt(handle, from, sizeBytes - from)));
    return a!.length === sizeBytes - from && a!.equals(b!);
  };

  /** `unsure` when the other one was emptied and nobody has noticed yet: its own look will. */
  const compare = async (
    file: OpenLogFile,
    other: OpenLogFile,
    head: Buffer,
    sizeBytes: number,
  ): Promise<'equal' | 'moved' | 'different' | 'unsure'> => {
    const { handle } = other;
    const stat = await handle.stat();
    const equal =
      stat.sizeBytes >= sizeBytes &&
      (await readAt(handle, 0, head.length)).equals(head) &&
      (await sameEnd(file.handle, handle, sizeBytes));
    if (!equal) {
      const now = await handle.stat();
      const intact = now.sizeBytes >= other.position.offset && !other.changed && (await isStillThere(other));
      if (!intact) return 'unsure';
      other.certainBytes = Math.max(other.certainBytes, now.sizeBytes); // so much is gone if it is emptied now
      return 'different';
    }
    // Deleted, and all of it is in a file on another device: that is how a file is moved there.
    const elsewhere = deviceOf(other.state.key) !== deviceOf(file.state.key);
    return stat.links === 0 && elsewhere && stat.sizeBytes === sizeBytes ? 'moved' : 'equal';
  };

  const release = (file: LogFile): void => {
    file.unproven = false;
    file.hold = undefined;
    held.delete(file);
  };

  /** True when the file has been held back long enough. */
  const holdBack = (file: LogFile, of: string, sizeBytes: number, targetBytes: number): boolean => {
    const nowMs = clock.monotonicMs();
    if (file.hold === undefined) {
      file.hold = { of, sinceMs: nowMs, sizeBytes, equalBytes: undefined, targetBytes };
      held.add(file);
      logger.debug(
        { path: file.state.path, of },
        'a new file equals another one; waiting to see which it is',
      );
    }
    const { hold } = file;
    hold.of = of;
    if (sizeBytes !== hold.sizeBytes && hold.sizeBytes < hold.targetBytes) {
      Object.assign(hold, { sizeBytes, sinceMs: nowMs });
    }
    return nowMs - hold.sinceMs >= patienceMs(sizeBytes);
  };

  const refuse = (file: LogFile, format: string): void => {
    release(file);
    file.refused = true;
    logger.warn(
      { path: file.state.path, format },
      'the file is compressed, and its bytes are no lines: it is left alone. Name it in files.exclude to be rid of this message',
    );
  };

  const moveTo = async (file: LogFile, other: LogFile): Promise<void> => {
    const dropping = options.drop(other);
    displaced.goOnIn(file, displaced.add(other, 'reused', other.sizeBytes));
    await dropping;
  };

  const decide = async (file: OpenLogFile, head: Buffer, sizeBytes: number): Promise<void> => {
    const match = await displaced.match(file);
    if (match?.how === 'whole') {
      held.delete(file);
      displaced.goOnIn(file, match.found);
      return;
    }
    if (match !== undefined) {
      if (!holdBack(file, match.found.state.id, sizeBytes, 0)) return;
      held.delete(file);
      displaced.passOver(file, match.found);
      return;
    }
    for (const other of file.unproven === 'new' ? similarTo(file, head) : []) {
      const relation = (await options.use(other, (open) => compare(file, open, head, sizeBytes))) ?? 'unsure';
      if (relation === 'different') continue;
      if (relation === 'moved') {
        held.delete(file);
        await moveTo(file, other);
        return;
      }
      const over = holdBack(file, other.state.id, sizeBytes, other.sizeBytes);
      if (relation === 'equal' && file.hold !== undefined) file.hold.equalBytes = sizeBytes;
      // Not while the other one is about to be found empty, however long nobody has looked.
      if (over && relation === 'equal') release(file);
      return;
    }
    release(file);
  };

  return {
    look: async (file, stat) => {
      if (stat.sizeBytes === 0) return;
      const head = await readAt(file.handle, 0, Math.min(stat.sizeBytes, FINGERPRINT_BYTES));
      const format = compressedFormat(head);
      if (format === 'unsure') {
        if (holdBack(file, file.state.id, stat.sizeBytes, 0)) release(file);
      } else if (format !== undefined) refuse(file, format);
      else await decide(file, head, stat.sizeBytes);
    },
    note: (file) => similar.note(file),
    forget: (file) => {
      similar.forget(file);
      held.delete(file);
    },
    isWaitedFor: ({ state }) => [...held].some(({ hold }) => hold?.of === state.id),
  };
}
