/** Lines of one or several files on their way to becoming a batch. */
import type { LogFile } from '../tail/log-file.ts';
import type { JobSegment } from './encode-batches.ts';

export interface RawBatch {
  segments: JobSegment[];
  rawBytes: number;
  /** What its buffers take of the memory budget. */
  heldBytes: number;
  /** Monotonic time of the first line; a batch waits at most the linger from here. */
  sinceMs: number;
}

export function rawBatch(sinceMs: number): RawBatch {
  return { segments: [], rawBytes: 0, heldBytes: 0, sinceMs };
}

export function addLines(
  batch: RawBatch,
  file: LogFile,
  lines: { bytes: Uint8Array; end: number; terminated: boolean; skipRest: boolean },
): void {
  const { bytes, end, terminated, skipRest } = lines;
  const fileOffset = file.position.offset;
  batch.segments.push({ bytes, start: 0, end, terminated, skipRest, fileId: file.state.id, fileOffset });
  batch.rawBytes += end;
}
