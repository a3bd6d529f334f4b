import { compress } from '../../shared/codec/compress.ts';
import { joinOwned, joinParts, type OwnBytes } from '../../shared/codec/views.ts';
import { linesOf } from './batch-text.ts';
import type { DecodeLayout } from './decode-range.ts';
import { addFacts, type DecodedFrame, type FrameFacts } from './decoded-frame.ts';
import type { RangeFormatter, RangePlan } from './range-formatter.ts';

interface OpenText {
  facts: FrameFacts;
  parts: Uint8Array[];
  textBytes: number;
}

/** Text with which every level below the slowest compresses as well as with more (decision 16). */
const FRAME_TEXT_BYTES = 512 * 1024;

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
    return { ...facts, bytes: await frameOf(parts, layout), textBytes };
  };

  return {
    addBatch,
    get fullAt() {
      return fullAt;
    },
    finish: () => Promise.all([...open.values()].map(close)),
  };
}

async function frameOf(parts: readonly Uint8Array[], { codec, level }: DecodeLayout): Promise<OwnBytes> {
  if (codec === 'none') return joinOwned(parts);
  const frames = await Promise.all(frameTexts(parts).map((text) => compress(codec, text, { level })));
  return frames.length === 1 ? frames[0]! : joinOwned(frames);
}

/** The parts, small ones joined. A large one, such as the text of a full batch, is not copied again. */
function frameTexts(parts: readonly Uint8Array[]): Uint8Array[] {
  const texts: Uint8Array[] = [];
  let joining: Uint8Array[] = [];
  let joiningBytes = 0;
  const closeText = (): void => {
    if (joining.length > 0) texts.push(joinParts(joining, joiningBytes));
    joining = [];
    joiningBytes = 0;
  };
  for (const part of parts) {
    if (part.length >= FRAME_TEXT_BYTES) closeText();
    joining.push(part);
    joiningBytes += part.length;
    if (joiningBytes >= FRAME_TEXT_BYTES) closeText();
  }
  closeText();
  return texts;
}
