import type { BatchHeader } from '../../shared/wire/record-batch.ts';
import { walkRecords } from '../../shared/wire/walk-records.ts';

/**
 * One record, as positions in the decompressed section of its batch (-1, -1 for a null key or value). One
 * object serves all records of a walk: whoever keeps something of it copies that.
 */
export interface RecordView {
  section: Buffer;
  offset: number;
  timestampMs: number;
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
  headersStart: number;
  headersEnd: number;
}

/** Records [fromOffset, toOffset). */
export interface OffsetRange {
  fromOffset: number;
  toOffset: number;
}

/**
 * Calls back for each record of the range. The whole section is read once before: what has been taken from
 * the first records of a damaged batch could not be given back.
 * @throws SkaldError WIRE_CORRUPT, before the first call
 */
export function viewRecords(
  section: Buffer,
  header: BatchHeader,
  { fromOffset, toOffset }: OffsetRange,
  visit: (record: RecordView) => void,
): void {
  walkRecords(section, header, () => {});
  const view: RecordView = {
    section,
    offset: 0,
    timestampMs: 0,
    keyStart: -1,
    keyEnd: -1,
    valueStart: -1,
    valueEnd: -1,
    headersStart: 0,
    headersEnd: 0,
  };
  walkRecords(
    section,
    header,
    (offset, timestampMs, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd) => {
      if (offset < fromOffset || offset >= toOffset) return;
      view.offset = offset;
      view.timestampMs = timestampMs;
      view.keyStart = keyStart;
      view.keyEnd = keyEnd;
      view.valueStart = valueStart;
      view.valueEnd = valueEnd;
      view.headersStart = headersStart;
      view.headersEnd = headersEnd;
      visit(view);
    },
  );
}
