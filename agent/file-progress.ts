/** How long bytes of a file have waited for their acknowledgement, and where its lines go. */
import type { Clock } from '../shared/clock.ts';
import type { FileState, Intent } from './checkpoint/entries.ts';
import type { CheckpointState } from './checkpoint/state.ts';

export interface FileProgress {
  /** The file has this size now. Cheap: for every look at every file that has something to read. */
  saw(file: FileState, sizeBytes: number): void;
  acknowledged(intent: Intent): void;
  /** Since when the oldest byte from `acknowledgedBytes` on has waited, on the monotonic clock; undefined when none is known. */
  waitingSinceMs(file: FileState, acknowledgedBytes: number): number | undefined;
  /** The partition of its last acknowledged batch. */
  partitionOf(file: FileState): number | undefined;
}

/** When a file was first seen with this size: bytes in front of it were there then. */
interface Mark {
  sizeBytes: number;
  atMs: number;
}

interface Progress {
  marks: Mark[];
  partition: number | undefined;
}

/** Enough for an age within a few percent; a file that grows while brokers are away makes no more. */
const MAX_MARKS = 32;

/** The position up to which every byte of the file is acknowledged. */
function acknowledgedBytes(state: Pick<CheckpointState, 'open'>, file: FileState): number {
  let position = file.offset;
  for (const { ranges } of state.open.values()) {
    for (const { file: id, start } of ranges) if (id === file.id) position = Math.min(position, start);
  }
  return position;
}

/** Half as many marks; of two that become one, the older time and the larger size, so that no age is said too short. */
function thinned(marks: readonly Mark[]): Mark[] {
  return marks.flatMap((mark, i) => {
    const next = marks[i + 1];
    if (i % 2 === 1) return [];
    return [next === undefined ? mark : { sizeBytes: next.sizeBytes, atMs: mark.atMs }];
  });
}

/** Keeps nothing of a file that nobody else remembers. */
export function fileProgress(
  state: Pick<CheckpointState, 'open' | 'files'>,
  clock: Pick<Clock, 'monotonicMs'>,
): FileProgress {
  const known = new WeakMap<FileState, Progress>();

  const progressOf = (file: FileState): Progress => {
    const progress = known.get(file) ?? { marks: [], partition: undefined };
    known.set(file, progress);
    return progress;
  };

  return {
    saw: (file, sizeBytes) => {
      const progress = progressOf(file);
      if (sizeBytes <= (progress.marks.at(-1)?.sizeBytes ?? -1)) return;
      if (progress.marks.length >= MAX_MARKS) {
        const done = acknowledgedBytes(state, file);
        progress.marks = progress.marks.filter((mark) => mark.sizeBytes > done);
        if (progress.marks.length > MAX_MARKS / 2) progress.marks = thinned(progress.marks);
      }
      progress.marks.push({ sizeBytes, atMs: clock.monotonicMs() });
    },
    acknowledged: ({ partition, ranges }) => {
      for (const range of ranges) {
        const file = state.files.get(range.file);
        if (file !== undefined) progressOf(file).partition = partition;
      }
    },
    waitingSinceMs: (file, position) =>
      known.get(file)?.marks.find(({ sizeBytes }) => sizeBytes > position)?.atMs,
    partitionOf: (file) => known.get(file)?.partition,
  };
}
