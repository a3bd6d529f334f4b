/**
 * How long files were seen to be, for the next process: if one is emptied before that looks, these bytes are known to be
 * lost. Mostly an intent says as much a moment later; this is for bytes that wait.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { LogFile } from './log-file.ts';

export interface SeenBytes {
  /** The file was looked into. */
  looked(file: LogFile): void;
  /** Files that have waited for long: look into them, because only a second look is sure whose bytes they are. */
  due(): LogFile[];
  /** Monotonic time at which `due` has something; Infinity without any. */
  readonly nextMs: number;
  /** Writes down what is sure of the file. */
  keep(file: LogFile): void;
  forget(file: LogFile): void;
}

/** Longer than bytes wait for an intent while all is well. */
export const SEEN_AFTER_MS = 2_000;

function knownBytes({ state }: LogFile): number {
  return Math.max(state.offset, state.seenBytes ?? 0);
}

export function createSeenBytes(journal: Journal, clock: Pick<Clock, 'monotonicMs'>): SeenBytes {
  /** Files that are longer than the journal knows, by the time at which that was seen first; the oldest first. */
  const ahead = new Map<LogFile, number>();
  const overdue = new Set<LogFile>();

  const forget = (file: LogFile): void => {
    ahead.delete(file);
    overdue.delete(file);
  };
  const keep = (file: LogFile): void => {
    forget(file);
    const bytes = file.certainBytes;
    if (bytes > knownBytes(file)) journal.append({ t: 'seen', id: file.state.id, bytes });
  };

  return {
    looked: (file) => {
      if (overdue.has(file)) keep(file);
      if (file.sizeBytes <= knownBytes(file)) forget(file);
      else if (!ahead.has(file)) ahead.set(file, clock.monotonicMs());
    },
    due: () => {
      const untilMs = clock.monotonicMs() - SEEN_AFTER_MS;
      for (const [file, sinceMs] of ahead) {
        if (sinceMs > untilMs) break;
        ahead.delete(file);
        if (file.sizeBytes > knownBytes(file)) overdue.add(file);
      }
      return [...overdue];
    },
    get nextMs() {
      for (const sinceMs of ahead.values()) return sinceMs + SEEN_AFTER_MS;
      return Infinity;
    },
    keep,
    forget,
  };
}
