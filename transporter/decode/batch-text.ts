import type { BatchHeader } from '../../shared/wire/record-batch.ts';
import { walkRecords } from '../../shared/wire/walk-records.ts';
import type { BucketSpan } from './time-bucket.ts';

/** A run of consecutive records of a batch that belong into one bucket, as text. */
export interface BatchText {
  bucket: BucketSpan;
  /** A view of the section. */
  bytes: Uint8Array;
  records: number;
  firstOffset: number;
  lastOffset: number;
  minTimestampMs: number;
  maxTimestampMs: number;
}

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
  range: { fromOffset: number; toOffset: number },
  findBucket: (timestampMs: number) => BucketSpan,
): BatchText[] {
  const { fromOffset, toOffset } = range;
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

  const openRun = (offset: number, timestampMs: number): BatchText => {
    closeRun();
    const bucket = findBucket(timestampMs);
    ({ startMs, endMs } = bucket);
    const opened = {
      bucket,
      bytes: section,
      records: 0,
      firstOffset: offset,
      lastOffset: offset,
      minTimestampMs: timestampMs,
      maxTimestampMs: timestampMs,
    };
    runs.push(opened);
    return opened;
  };

  walkRecords(section, header, (offset, timestampMs, _keyStart, _keyEnd, valueStart, valueEnd) => {
    if (offset < fromOffset || offset >= toOffset) return;
    if (run === undefined || timestampMs < startMs || timestampMs >= endMs)
      run = openRun(offset, timestampMs);
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
