import type { BatchHeader } from '../../shared/wire/record-batch.ts';
import { walkRecords } from '../../shared/wire/walk-records.ts';
import { factsOf, type FrameFacts } from './decoded-frame.ts';
import type { OffsetRange } from './record-view.ts';
import type { BucketSpan } from './time-bucket.ts';

/** A run of consecutive records of a batch that belong into one bucket, as text. */
export interface BatchText {
  facts: FrameFacts;
  /** A view of the section. */
  bytes: Uint8Array;
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
  { fromOffset, toOffset }: OffsetRange,
  findBucket: (timestampMs: number) => BucketSpan,
): BatchText[] {
  const runs: BatchText[] = [];
  let facts: FrameFacts | undefined;
  let startMs = Infinity;
  let endMs = -Infinity;
  let runStart = 0;
  let at = 0;

  const closeRun = (): void => {
    if (facts !== undefined) runs.push({ facts, bytes: section.subarray(runStart, at) });
    runStart = at;
  };

  const openRun = (offset: number, timestampMs: number): FrameFacts => {
    closeRun();
    const bucket = findBucket(timestampMs);
    ({ startMs, endMs } = bucket);
    return factsOf(bucket, offset, timestampMs);
  };

  walkRecords(section, header, (offset, timestampMs, _keyStart, _keyEnd, valueStart, valueEnd) => {
    if (offset < fromOffset || offset >= toOffset) return;
    if (facts === undefined || timestampMs < startMs || timestampMs >= endMs)
      facts = openRun(offset, timestampMs);
    if (valueEnd > valueStart) {
      section.copyWithin(at, valueStart, valueEnd);
      at += valueEnd - valueStart;
    }
    section[at] = LINE_FEED;
    at += 1;
    facts.records += 1;
    facts.lastOffset = offset;
    if (timestampMs < facts.minTimestampMs) facts.minTimestampMs = timestampMs;
    if (timestampMs > facts.maxTimestampMs) facts.maxTimestampMs = timestampMs;
  });
  closeRun();
  return runs;
}
