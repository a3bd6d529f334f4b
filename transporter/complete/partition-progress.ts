import type { TimeBucket } from '../../shared/config/object-layout.ts';
import { bucketFinder } from '../decode/time-bucket.ts';
import { createLogEnds } from './log-ends.ts';
import type { Progress } from './progress.ts';

/** How far in time one partition is, while this worker carries it. */
export interface PartitionProgress {
  /** As committed last. */
  readonly committed: Progress;
  /** Begins anew, before anything was seen of the log. */
  startFrom(progress: Progress): void;
  /** Another log goes on from the offset: where the one before ended says nothing of this one. */
  forgetLogEnds(): void;
  /** The leader was asked at this time (wall clock) and said that the log ends here. */
  sawLogEnd(offset: number, askedAtMs: number): void;
  /** A bucket has ended since the log's end was seen: until it is seen again, that one cannot be finished. */
  isLogEndWanted(nowMs: number): boolean;
  /** Everything that was in the log at this time lies below `position`; undefined while that is not known. */
  takenToMs(position: number): number | undefined;
  /** What to commit beside an offset below which everything is stored. */
  at(offset: number): Progress;
  /** Whether it is worth a commit of its own, because a bucket has ended since the last one. */
  isDue(offset: number): boolean;
  onCommitted(progress: Progress, offset: number): void;
  /** Every bucket of the topic that ended by then is finished; goes with the next commit, which is then due. */
  mark(markedMs: number): void;
  /** Every bucket that ended by then is about to be finished; as with `mark`. */
  close(closedMs: number): void;
}

export function createPartitionProgress(
  found: Progress,
  { bucket, timeZone, graceMs }: { bucket: TimeBucket; timeZone: string; graceMs: number },
): PartitionProgress {
  const findBucket = bucketFinder(bucket, timeZone);
  let logEnds = createLogEnds();
  let committed = found;
  let { marked, closed } = found;

  const at = (offset: number): Progress => {
    const passedAtMs = logEnds.passedAtMs(offset);
    const known = [
      committed.through,
      passedAtMs === undefined ? undefined : Math.max(0, passedAtMs - graceMs),
    ];
    const through = known.reduce((a, b) => (a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)));
    return { through, marked, closed: (closed ?? 0) > (marked ?? 0) ? closed : undefined };
  };

  return {
    get committed() {
      return committed;
    },
    startFrom: (progress) => {
      committed = progress;
      ({ marked, closed } = progress);
    },
    forgetLogEnds: () => {
      logEnds = createLogEnds();
    },
    sawLogEnd: (offset, askedAtMs) => logEnds.saw(offset, askedAtMs),
    isLogEndWanted: (nowMs) => {
      const { newestMs } = logEnds;
      return newestMs === undefined || findBucket(newestMs - graceMs).endMs + graceMs <= nowMs;
    },
    takenToMs: (position) => logEnds.passedAtMs(position),
    at,
    isDue: (offset) => {
      const next = at(offset);
      if (next.marked !== committed.marked || next.closed !== committed.closed) return true;
      if (next.through === undefined || committed.through === undefined) {
        return next.through !== committed.through;
      }
      return next.through >= findBucket(committed.through).endMs;
    },
    onCommitted: (progress, offset) => {
      committed = progress;
      logEnds.forgetBefore(offset);
    },
    mark: (markedMs) => {
      marked = Math.max(marked ?? 0, markedMs);
    },
    close: (closedMs) => {
      closed = Math.max(closed ?? 0, closedMs);
    },
  };
}
