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
  /** Until the batch must go; Infinity while it is empty. */
  lingerLeftMs(): number;
  handOverIfDue(): Promise<void>;
  /** Closes the batch; waits while enough of them are being encoded. */
  handOver(): Promise<void>;
}

/** Nearly full counts as full: the next file's chunk would be a sliver. */
const FULL = 0.9;

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
  let sinceMs = 0;

  const lingerLeftMs = (): number =>
    segments.length === 0 ? Infinity : lingerMs - (clock.monotonicMs() - sinceMs);

  const handOver = async (): Promise<void> => {
    if (segments.length === 0) return;
    const settings = options.settings();
    const job = options.job(segments, settings);
    const context = { settings, heldBytes };
    segments = [];
    rawBytes = 0;
    heldBytes = 0;
    await options.queue.add(job, context);
  };

  return {
    get roomBytes() {
      return Math.max(0, size.textBytes - rawBytes);
    },
    add: (file, read, held) => {
      if (segments.length === 0) sinceMs = clock.monotonicMs();
      const { id: fileId } = file.state;
      segments.push({ ...read, start: 0, fileId, fileOffset: file.position.offset });
      rawBytes += read.end;
      heldBytes += held;
    },
    lingerLeftMs,
    handOverIfDue: async () => {
      if (rawBytes >= size.textBytes * FULL || lingerLeftMs() <= 0) await handOver();
    },
    handOver,
  };
}
