/** Lines with keys: the records of the same segments in a batch for each partition that their keys stand for. */
import { keyFinder, type Keying, partitionOf } from '../framing/record-key.ts';
import {
  countsOf,
  type EncodedBatch,
  type FramedSegments,
  frameSegments,
  type LineBatchOptions,
  type LineSegment,
} from './encode-lines.ts';
import { encodeRecordBatch, type RecordInput } from './encode-records.ts';
import { putBackFrameMemory } from './frame-memory.ts';
import { encodeProvenance, type Provenance, PROVENANCE_HEADER } from './provenance.ts';
import { readAppended } from './record-sink.ts';
import type { Cursor } from './varint.ts';

export interface KeyedBatch extends EncodedBatch {
  /** The partition of all of its records. */
  slot: number;
}

export interface KeyedLines {
  /** In the order of partitions; none for those without a record. */
  batches: KeyedBatch[];
  /** Of all segments together. */
  counts: Pick<EncodedBatch, 'oversized' | 'replacedUnits'>;
}

/**
 * Frames the segments as encodeLineBatch does, looks for a key in each record, and makes a batch for each partition; with
 * `only`, just the one of that partition. Each batch's provenance has all ranges, with how many of their records are in
 * it and how many there are: the file's bytes are complete when all of those batches are. Of one record that is split
 * each part has the key that is found in it. The result is a function of the arguments and nothing else.
 */
export async function encodeKeyedLines(
  segments: readonly LineSegment[],
  options: LineBatchOptions,
  keying: Keying,
  only?: number,
): Promise<KeyedLines> {
  const { codec, level, timestampMs } = options;
  const framed = frameSegments(segments, options);
  try {
    const batches: KeyedBatch[] = [];
    const dealt = [...deal(framed, keying, only)].sort(([a], [b]) => a - b);
    for (const [slot, { records, provenance, rawBytes }] of dealt) {
      const inputs: RecordInput[] = records.map(({ key, value }) => ({ key, value, timestampMs }));
      inputs[0]!.headers = [{ key: PROVENANCE_HEADER, value: encodeProvenance(provenance) }];
      const bytes = await encodeRecordBatch(inputs, { codec, level });
      const none = { oversized: { records: 0, bytes: 0 }, replacedUnits: 0 };
      batches.push({ slot, bytes, recordCount: records.length, rawBytes, provenance, ...none });
    }
    return { batches, counts: countsOf(framed) };
  } finally {
    putBackFrameMemory(framed.sink.memory);
  }
}

interface Hand {
  records: { key: Uint8Array | null; value: Uint8Array }[];
  provenance: Provenance;
  /** Of the values, and one for each, as a line break would take. */
  rawBytes: number;
}

/** The framed records by the partitions that their keys stand for. The values are views of the sink's memory. */
function deal(framed: FramedSegments, keying: Keying, only: number | undefined): Map<number, Hand> {
  const { sink, firstAt, provenance } = framed;
  const { bytes } = sink.memory;
  const find = keyFinder(keying.source);
  const hands = new Map<number, Hand>();
  const cursor: Cursor = { bytes, at: firstAt, limit: sink.at };
  for (const [index, range] of provenance.ranges.entries()) {
    for (let i = 0; i < range.records; i++) {
      const [start, end] = readAppended(cursor);
      const key = find(bytes, start, end);
      const slot = partitionOf(key, keying);
      if (only !== undefined && slot !== only) continue;
      const hand = hands.get(slot) ?? newHand(provenance, slot);
      hands.set(slot, hand);
      hand.records.push({ key, value: bytes.subarray(start, end) });
      hand.rawBytes += end - start + 1;
      hand.provenance.ranges[index]!.records += 1;
    }
  }
  return hands;
}

function newHand(provenance: Provenance, slot: number): Hand {
  const ranges = provenance.ranges.map((range) => ({ ...range, records: 0, ofRecords: range.records }));
  return { records: [], provenance: { ...provenance, slot, ranges }, rawBytes: 0 };
}
