import type { BatchHeader } from '../../shared/wire/record-batch.ts';
import { walkRecords } from '../../shared/wire/walk-records.ts';
import { factsOf, type FrameFacts } from './decoded-frame.ts';
import type { OffsetRange } from './record-view.ts';
import type { BucketSpan } from './time-bucket.ts';

/** A run of consecutive records of a batch that belong into one bucket, as text. */
export interface BatchText extends FrameFacts {
  /** A view of the section. */
  bytes: Uint8Array;
}

/** The time of a record by its offset and the place of its value; undefined when it is to be left out. */
export type TimeOf = (
  offset: number,
  timestampMs: number,
  keyStart: number,
  keyEnd: number,
  valueStart: number,
  valueEnd: number,
  headersStart: number,
  headersEnd: number,
) => number | undefined;

const LINE_FEED = 0x0a;

/**
 * Format `lines`: the value of each record in [fromOffset, toOffset), and a line feed; a null value is an
 * empty line. Values move to the front of the section that they are in, over bytes that were read already: a
 * record takes at least seven bytes beside its value, so a line always fits before the record's end. Thus
 * nothing is allocated per record, and a batch whose records are all of one bucket is one run.
 * @throws SkaldError WIRE_CORRUPT; the section is worthless then
 */
export function linesOf(
  section: Uint8Array,
  header: BatchHeader,
  { fromOffset, toOffset }: OffsetRange,
  findBucket: (timeMs: number) => BucketSpan,
  timeOf?: TimeOf,
): BatchText[] {
  const runs: BatchText[] = [];
  let run: BatchText | undefined;
  let startMs = Infinity;
  let endMs = -Infinity;
  let runStart = 0;
  let at = 0;

  const closeRun = (): void => {
    if (run !== undefined) run.bytes = section.subarray(runStart, at);
    runStart = at;
  };

  const openRun = (offset: number, timestampMs: number, timeMs: number): BatchText => {
    closeRun();
    const bucket = findBucket(timeMs);
    ({ startMs, endMs } = bucket);
    const opened = { ...factsOf(bucket, offset, timestampMs), bytes: section };
    runs.push(opened);
    return opened;
  };

  walkRecords(section, header, (offset, timestampMs, keyStart, keyEnd, valueStart, valueEnd, from, to) => {
    if (offset < fromOffset || offset >= toOffset) return;
    const timeMs =
      timeOf === undefined
        ? timestampMs
        : timeOf(offset, timestampMs, keyStart, keyEnd, valueStart, valueEnd, from, to);
    if (timeMs === undefined) return;
    if (run === undefined || timeMs < startMs || timeMs >= endMs) run = openRun(offset, timestampMs, timeMs);
    if (valueEnd > valueStart) {
      section.copyWithin(at, valueStart, valueEnd);
      at += valueEnd - valueStart;
    }
    section[at] = LINE_FEED;
    at += 1;
    run.records += 1;
    run.lastOffset = offset;
    if (timestampMs < run.minTimestampMs) run.minTimestampMs = timestampMs;
    if (timestampMs > run.maxTimestampMs) run.maxTimestampMs = timestampMs;
  });
  closeRun();
  return runs;
}
