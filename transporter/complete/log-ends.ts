/** Where a partition's log ended at which time, as the answers of its leader tell. */
export interface LogEnds {
  /** Time of the last end that was seen; undefined before the first. */
  readonly newestMs: number | undefined;
  /**
   * Everything that was appended before `askedAtMs` (wall clock, when the leader was asked) is below `offset`: a
   * high watermark. The last stable offset would not do: behind it may wait records of open transactions.
   */
  saw(offset: number, askedAtMs: number): void;
  /** Latest time at which the log ended at this offset or before it; undefined when none is known. */
  passedAtMs(offset: number): number | undefined;
  /** What lies before the latest time that this offset has passed is of no use any more. */
  forgetBefore(offset: number): void;
}

interface LogEnd {
  offset: number;
  atMs: number;
}

/** A few seconds between two of them at the usual age of chunks; further apart while a partition lags behind. */
const MAX_ENDS = 64;

export function createLogEnds(): LogEnds {
  /** In the order of both offset and time. */
  let ends: LogEnd[] = [];

  const lastPassed = (offset: number): number => ends.findLastIndex((end) => end.offset <= offset);

  /** Whether the newest end can be replaced. Gaps grow with the time that all of them span. */
  const isCloseToTheOneBefore = (): boolean => {
    const [first, before, last] = [ends[0], ends.at(-2), ends.at(-1)];
    if (first === undefined || before === undefined || last === undefined) return false;
    return last.atMs - before.atMs < (2 * (last.atMs - first.atMs)) / MAX_ENDS;
  };

  return {
    get newestMs() {
      return ends.at(-1)?.atMs;
    },
    saw: (offset, askedAtMs) => {
      const last = ends.at(-1);
      // A leader that is new may know less of the end than the one before it, and a clock may be set back.
      const end = { offset: Math.max(offset, last?.offset ?? 0), atMs: Math.max(askedAtMs, last?.atMs ?? 0) };
      if (last?.offset === end.offset) last.atMs = end.atMs;
      else if (isCloseToTheOneBefore()) ends[ends.length - 1] = end;
      else ends.push(end);
      // The newest stays, the oldest, and every second of the others.
      if (ends.length > MAX_ENDS) ends = ends.filter((_, index) => index % 2 === 0);
    },
    passedAtMs: (offset) => ends[lastPassed(offset)]?.atMs,
    forgetBefore: (offset) => {
      const passed = lastPassed(offset);
      if (passed > 0) ends.splice(0, passed);
    },
  };
}
