/** Into which files a look is due, and which of them have something to read. */
import type { Clock } from '../../shared/clock.ts';
import { dueQueue } from './due-queue.ts';
import { hasWork, type LogFile, waitsForPredecessor } from './log-file.ts';

export interface FileAttention {
  /** Something may have changed in the file. */
  soon(file: LogFile): void;
  /** A look after a while, whether anything changes or not; one that is due earlier or later stays as it is. */
  later(file: LogFile, afterMs: number): void;
  /** An incomplete record counts as whole once nothing has followed for a while: then it is read again. */
  atItsEnd(file: LogFile): void;
  isChanged(file: LogFile): boolean;
  /** The files into which a look is due now; they are taken. */
  take(): LogFile[];
  /** Monotonic time at which the first look is due; Infinity without any. */
  readonly nextMs: number;
  /** The file was looked into or read: if there is something to read in it, it stands in line. */
  judge(file: LogFile): void;
  /** Files with something to read, those first that had something first. */
  withWork(files: ReadonlyMap<string, LogFile>): LogFile[];
  forget(file: LogFile): void;
}

/** Looks into files that change all the time are this far apart at least. */
const MIN_GAP_MS = 100;
/**
 * With many of them further: to look into one and read it takes some twenty microseconds, whatever there is to read, and
 * that should not be more than a fifth of a core.
 */
const GAP_MS_PER_FILE = 0.12;
const MAX_GAP_MS = 200;

export function createFileAttention(options: {
  pollIntervalMs: number;
  /** A look into a file is due. */
  wake(): void;
  clock: Clock;
}): FileAttention {
  const { pollIntervalMs, clock } = options;
  let gapMs = Math.min(MIN_GAP_MS, pollIntervalMs);
  const due = dueQueue<LogFile>((file) => file.contentDueMs!);
  let changed = new Set<LogFile>();
  const ready = new Set<LogFile>();
  let takenMs = -Infinity;

  const later = (file: LogFile, afterMs: number): void => {
    if (file.contentDueMs !== undefined) return;
    file.contentDueMs = clock.monotonicMs() + afterMs;
    due.add(file);
  };
  const atItsEnd = (file: LogFile): void => {
    const { partialForMs, partialAtBytes, sizeBytes, grewMs } = file;
    if (partialForMs === undefined || partialAtBytes !== sizeBytes) return;
    later(file, Math.max(1, grewMs + partialForMs - clock.monotonicMs()));
  };
  /** There is nothing to read now; what time alone can change has its next look. */
  const rest = (file: LogFile): void => {
    ready.delete(file);
    if (file.waits) later(file, pollIntervalMs);
    else atItsEnd(file);
  };

  return {
    soon: (file) => {
      // With the first one the loop learns when it is due: waking it for each would keep it busy until then.
      if (changed.has(file)) return;
      file.changedMs = clock.monotonicMs();
      changed.add(file);
      if (changed.size === 1) options.wake();
    },
    later,
    atItsEnd,
    isChanged: (file) => changed.has(file),
    take: () => {
      takenMs = clock.monotonicMs();
      const taken = changed;
      changed = new Set();
      for (const file of due.take(takenMs, Infinity)) {
        file.contentDueMs = undefined;
        taken.add(file);
      }
      const manyMs = Math.min(taken.size * GAP_MS_PER_FILE, MAX_GAP_MS);
      gapMs = Math.min(Math.max(MIN_GAP_MS, manyMs), pollIntervalMs);
      return [...taken];
    },
    get nextMs() {
      return Math.min(changed.size > 0 ? takenMs + gapMs : Infinity, due.nextMs);
    },
    judge: (file) => {
      if (hasWork(file)) ready.add(file);
      else if (ready.has(file)) rest(file);
    },
    withWork: (files) => {
      const work: LogFile[] = [];
      for (const file of ready) {
        if (!hasWork(file)) rest(file);
        else if (!waitsForPredecessor(file, files)) work.push(file);
      }
      return work;
    },
    forget: (file) => {
      changed.delete(file);
      ready.delete(file);
    },
  };
}
