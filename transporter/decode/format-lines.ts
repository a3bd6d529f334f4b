import { compress } from '../../shared/codec/compress.ts';
import { joinParts } from '../../shared/codec/views.ts';
import { linesOf } from './batch-text.ts';
import { addFacts, type DecodedFrame, type FrameFacts } from './decoded-frame.ts';
import type { RangeFormatter, RangePlan } from './range-formatter.ts';

interface OpenText {
  facts: FrameFacts;
  parts: Uint8Array[];
  textBytes: number;
}

/** Format `lines` by timestamp, for which nothing of a record is looked at but its length. */
export function formatLines({ range, maxBuckets, layout, findBucket }: RangePlan): RangeFormatter {
  const open = new Map<string, OpenText>();
  let fullAt: number | undefined;

  const addBatch: RangeFormatter['addBatch'] = (section, header) => {
    for (const { facts, bytes } of linesOf(section, header, range, findBucket)) {
      const { label } = facts.bucket;
      const known = open.get(label);
      if (known === undefined) {
        open.set(label, { facts, parts: [bytes], textBytes: bytes.length });
        continue;
      }
      known.parts.push(bytes);
      known.textBytes += bytes.length;
      addFacts(known.facts, facts);
    }
    if (open.size >= maxBuckets) fullAt = header.lastOffset + 1;
  };

  const close = async ({ facts, parts, textBytes }: OpenText): Promise<DecodedFrame> => {
    const bytes = await compress(layout.codec, joinParts(parts, textBytes), { level: layout.level });
    return { ...facts, bytes, textBytes };
  };

  return {
    addBatch,
    get fullAt() {
      return fullAt;
    },
    finish: () => Promise.all([...open.values()].map(close)),
  };
}
