import { compress } from '../../shared/codec/compress.ts';
import { bufferView, joinParts } from '../../shared/codec/views.ts';
import { walkRecords } from '../../shared/wire/walk-records.ts';
import { linesOf } from './batch-text.ts';
import { addFacts, type DecodedFrame, type FrameFacts } from './decoded-frame.ts';
import type { RangeFormatter, RangePlan } from './range-formatter.ts';
import { emptyView } from './record-view.ts';

interface OpenText extends FrameFacts {
  parts: Uint8Array[];
  textBytes: number;
}

/** Format `lines`, for which no record is looked at but for its length, unless its time is inside of it. */
export function formatLines({ range, layout, findBucket, times }: RangePlan): RangeFormatter {
  const open = new Map<string, OpenText>();

  const addBatch: RangeFormatter['addBatch'] = (section, header) => {
    for (const text of textsOf(section, header)) {
      const known = open.get(text.bucket.label);
      const { bytes, ...facts } = text;
      if (known === undefined) {
        open.set(text.bucket.label, { ...facts, parts: [bytes], textBytes: bytes.length });
        continue;
      }
      known.parts.push(bytes);
      known.textBytes += bytes.length;
      addFacts(known, facts);
    }
  };

  const textsOf = (
    section: Uint8Array,
    header: Parameters<RangeFormatter['addBatch']>[1],
  ): ReturnType<typeof linesOf> => {
    if (times === undefined) return linesOf(section, header, range, findBucket);
    // A record that is refused cannot be taken back when a later one of its batch turns out damaged.
    walkRecords(section, header, () => {});
    const record = emptyView(bufferView(section));
    return linesOf(section, header, range, findBucket, (...place) => {
      [record.offset, record.timestampMs, record.keyStart, record.keyEnd] = place;
      [, , , , record.valueStart, record.valueEnd, record.headersStart, record.headersEnd] = place;
      return times.timeOf(record);
    });
  };

  const close = async ({ parts, textBytes, ...facts }: OpenText): Promise<DecodedFrame> => {
    const bytes = await compress(layout.codec, joinParts(parts, textBytes), { level: layout.level });
    return { ...facts, bytes, textBytes };
  };

  return { addBatch, finish: () => Promise.all([...open.values()].map(close)) };
}
