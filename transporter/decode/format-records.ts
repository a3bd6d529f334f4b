import { bufferView } from '../../shared/codec/views.ts';
import { addRecord, type DecodedFrame, extendBucket, factsOf, type FrameFacts } from './decoded-frame.ts';
import type { RangeFormatter, RangePlan } from './range-formatter.ts';
import { type BucketWriter, MAX_FRAME_TEXT_BYTES, type RecordFormat } from './record-format.ts';
import { type RecordView, viewRecords } from './record-view.ts';
import type { BucketSpan } from './time-bucket.ts';

interface OpenBucket {
  facts: FrameFacts;
  writer: BucketWriter;
}

/** Record by record, for formats that write more of a record than its value. */
export function formatRecords(plan: RangePlan, format: RecordFormat): RangeFormatter {
  const { range, maxBuckets, findBucket, times, refused } = plan;
  const open = new Map<string, OpenBucket>();
  const frames: Promise<DecodedFrame>[] = [];

  let fullAt: number | undefined;
  /** Of the last record: most are of the same bucket as the one before. */
  let last: OpenBucket | undefined;

  const bucketOf = (span: BucketSpan, offset: number, timestampMs: number): OpenBucket => {
    const known = open.get(span.label);
    if (known !== undefined) {
      extendBucket(known.facts, span);
      return known;
    }
    const opened = { facts: factsOf(span, offset, timestampMs), writer: format.openBucket() };
    open.set(span.label, opened);
    return opened;
  };

  const add = (record: RecordView): void => {
    if (fullAt !== undefined) return;
    const refusal = format.refusalOf(record);
    if (refusal !== undefined) {
      refused.add(record, refusal);
      return;
    }
    const timeMs = times === undefined ? record.timestampMs : times.timeOf(record);
    if (timeMs === undefined) return;
    const span = findBucket(timeMs);
    const { offset, timestampMs } = record;
    if (last?.facts.bucket !== span) last = bucketOf(span, offset, timestampMs);
    addRecord(last.facts, offset, timestampMs);
    last.writer.write(record);
    if (open.size >= maxBuckets) fullAt = offset + 1;
    if (last.writer.textBytes < MAX_FRAME_TEXT_BYTES) return;
    open.delete(span.label);
    close(last);
    last = undefined;
  };

  const close = ({ facts, writer }: OpenBucket): void => {
    frames.push(writer.finish().then((finished) => ({ ...facts, ...finished })));
  };

  return {
    addBatch: (section, header) => viewRecords(bufferView(section), header, range, add),
    get fullAt() {
      return fullAt;
    },
    finish: async () => {
      for (const bucket of open.values()) close(bucket);
      return Promise.all(frames);
    },
  };
}
