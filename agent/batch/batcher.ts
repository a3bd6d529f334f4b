/** Fills batches from lines as they are read, closes them by size and linger, and sends them through the encoder. */
import type { Clock } from '../../shared/clock.ts';
import type { LogFile } from '../tail/log-file.ts';
import type { BatchSize } from './batch-size.ts';
import type { EncodeJob, JobSegment } from './encode-batches.ts';
import type { EncodeQueue } from './encode-queue.ts';

/** Records are bytes [0, end). */
export type ReadBytes = Omit<JobSegment, 'start' | 'fileId' | 'fileOffset'>;

export interface Batcher {
  /** What the batch that is being filled still takes. */
  readonly roomBytes: number;
  /** Adds records that begin at the file's position; `heldBytes` is what their buffer takes of the memory budget. */
  add(file: LogFile, read: ReadBytes, heldBytes: number): void;
  /** Until the batch is due at rest; Infinity while it is empty. */
  lingerLeftMs(): number;
  /** It is full, or the time since it began is over. */
  isDue(): boolean;
  /** The same when nothing else is at hand: then the time of a line began when its file was known to have changed. */
  isDueAtRest(): boolean;
  /** Closes the batch; waits while enough of them are being encoded. */
  handOver(): Promise<void>;
}

/** Nearly full counts as full: the next file's chunk would be a sliver. */
const FULL = 0.9;
/** What has waited for longer than files that change all the time waits for us: it would make every batch go at once. */
const BACKLOG_MS = 500;

/** There may be thousands in a second: no field that says nothing, because each costs on the way to another thread. */
function segmentOf({ state, position }: LogFile, read: ReadBytes): JobSegment {
  const { bytes, end, terminated, skipRest, continues, insideBytes, restBytes, encoding } = read;
  const { id: fileId } = state;
  const segment: JobSegment = {
    bytes,
    start: 0,
    end,
    terminated,
    skipRest,
    fileId,
    fileOffset: position.offset,
  };
  if (continues === true) segment.continues = true;
  if (insideBytes !== undefined) segment.insideBytes = insideBytes;
  if (restBytes !== undefined) segment.restBytes = restBytes;
  if (encoding !== undefined) segment.encoding = encoding;
  return segment;
}

export function createBatcher<Settings>(options: {
  size: Pick<BatchSize, 'textBytes'>;
  lingerMs: number;
  queue: EncodeQueue<{ settings: Settings; heldBytes: number }>;
  /** What a batch that is closed now is built with. */
  settings(): Settings;
  job(segments: JobSegment[], settings: Settings): EncodeJob;
  clock: Clock;
}): Batcher {
  const { size, lingerMs, clock } = options;
  let segments: JobSegment[] = [];
  let rawBytes = 0;
  let heldBytes = 0;
  let sinceMs = Infinity;
  /** Since when lines of it have waited, in their files. */
  let waitingSinceMs = Infinity;

  const isFull = (): boolean => rawBytes >= size.textBytes * FULL;
  const leftMs = (fromMs: number): number =>
    segments.length === 0 ? Infinity : lingerMs - (clock.monotonicMs() - fromMs);

  const handOver = async (): Promise<void> => {
    if (segments.length === 0) return;
    const settings = options.settings();
    const job = options.job(segments, settings);
    const context = { settings, heldBytes };
    segments = [];
    rawBytes = 0;
    heldBytes = 0;
    waitingSinceMs = Infinity;
    await options.queue.add(job, context);
  };

  return {
    get roomBytes() {
      return Math.max(0, size.textBytes - rawBytes);
    },
    add: (file, read, held) => {
      const nowMs = clock.monotonicMs();
      if (segments.length === 0) sinceMs = nowMs;
      const isFresh = nowMs - file.changedMs < BACKLOG_MS;
      waitingSinceMs = Math.min(waitingSinceMs, isFresh ? file.changedMs : nowMs);
      segments.push(segmentOf(file, read));
      rawBytes += read.end;
      heldBytes += held;
    },
    lingerLeftMs: () => leftMs(waitingSinceMs),
    isDue: () => isFull() || leftMs(sinceMs) <= 0,
    isDueAtRest: () => isFull() || leftMs(waitingSinceMs) <= 0,
    handOver,
  };
}
