import * as fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { decodeRecords } from '../../../shared/wire/decode-records.ts';
import { encodeKeyedLines } from '../../../shared/wire/encode-keyed.ts';
import {
  encodeLineBatch,
  type LineBatchOptions,
  type LineSegment,
} from '../../../shared/wire/encode-lines.ts';
import { decodeProvenance, PROVENANCE_HEADER } from '../../../shared/wire/provenance.ts';

const OPTIONS: LineBatchOptions = {
  codec: 'lz4',
  timestampMs: 1_700_000_000_000,
  host: 'h',
  pipeline: 'p',
  maxRecordBytes: 40,
  oversize: 'split',
};

function segment(fileId: string, text: string): LineSegment {
  const bytes = Buffer.from(text);
  return { bytes, start: 0, end: bytes.length, terminated: true, fileId, fileOffset: 100 };
}

async function recordsOf(batch: Uint8Array) {
  const { records } = await decodeRecords(batch, { maxOutputBytes: 1 << 24 });
  return records.map(({ key, value, headers }) => ({
    key: key === null ? null : Buffer.from(key).toString(),
    value: Buffer.from(value!).toString(),
    headers,
  }));
}

/** Where kafkajs would send the key; its default partitioner is compatible with Java's. */
function placeOf(key: string, partitions: number): number {
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionId,
    partitionErrorCode: 0,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));
  const message = { key: Buffer.from(key), value: null };
  return Partitioners.DefaultPartitioner()({ topic: 'any', partitionMetadata, message });
}

const line = fc.oneof(
  fc.tuple(fc.stringMatching(/^[a-z]{1,3}$/), fc.nat(999)).map(([key, n]) => `${key}=${n}`),
  fc.constant('no key'),
  fc.constant(''),
  fc.string({ maxLength: 90, unit: fc.constantFrom('y', 'z', ' ') }),
);
const text = fc.array(line, { minLength: 1, maxLength: 30 }).map((lines) => `${lines.join('\n')}\n`);

test('every record is in the one batch of its key, in the order of the lines, and the ranges say how many there are', async () => {
  await fc.assert(
    fc.asyncProperty(text, text, fc.integer({ min: 1, max: 9 }), async (first, second, partitions) => {
      const segments = [segment('f-1', first), segment('f-2', second)];
      const keying = { source: { pattern: '^([a-z]+)=' }, partitions, keyless: partitions - 1 };
      const { batches } = await encodeKeyedLines(segments, OPTIONS, keying);
      const all = await recordsOf((await encodeLineBatch(segments, OPTIONS)).bytes);
      const expected = new Map<number, (typeof all)[number]['value'][]>();
      for (const { value } of all) {
        const key = /^([a-z]+)=/.exec(value)?.[1];
        const slot = key === undefined ? partitions - 1 : placeOf(key, partitions);
        expected.set(slot, [...(expected.get(slot) ?? []), value]);
      }
      const inRanges = [0, 0];
      for (const batch of batches) {
        const records = await recordsOf(batch.bytes);
        expect(records.map(({ value }) => value)).toEqual(expected.get(batch.slot));
        expected.delete(batch.slot);
        for (const { key, value } of records) expect(key).toBe(/^([a-z]+)=/.exec(value)?.[1] ?? null);
        const [header] = records[0]!.headers;
        expect(header!.key).toBe(PROVENANCE_HEADER);
        const provenance = decodeProvenance(header!.value!);
        expect(provenance).toEqual(batch.provenance);
        expect(provenance.slot).toBe(batch.slot);
        for (const [i, range] of provenance.ranges.entries()) {
          inRanges[i]! += range.records;
          expect(range).toMatchObject({ start: 100, end: 100 + Buffer.byteLength([first, second][i]!) });
        }
      }
      expect(expected.size).toBe(0);
      const ofRecords = batches[0]!.provenance.ranges.map((range) => range.ofRecords);
      expect(inRanges).toEqual(ofRecords);
    }),
    { numRuns: 300 },
  );
});

test('the batch of one partition is the same bytes when it is built alone', async () => {
  const segments = [segment('f-1', Array.from({ length: 50 }, (_, i) => `k${i % 7}=${i}\n`).join(''))];
  const keying = { source: { pattern: '^(k\\d)' }, partitions: 4, keyless: 0 };
  const { batches } = await encodeKeyedLines(segments, OPTIONS, keying);
  expect(batches.length).toBeGreaterThan(1);
  for (const { slot, bytes } of batches) {
    const alone = await encodeKeyedLines(segments, OPTIONS, keying, slot);
    expect(alone.batches.map((batch) => batch.slot)).toEqual([slot]);
    expect(Buffer.from(alone.batches[0]!.bytes).equals(bytes)).toBe(true);
  }
});

test('lines that are too long are counted once, with all partitions together', async () => {
  const long = `a=${'x'.repeat(60)}\nb=${'x'.repeat(60)}\nc=1\n`;
  const keying = { source: { pattern: '^([a-z])=' }, partitions: 5, keyless: 0 };
  const options = { ...OPTIONS, oversize: 'truncate' as const };
  const { counts } = await encodeKeyedLines([segment('f-1', long)], options, keying);
  expect(counts.oversized).toEqual({ records: 2, bytes: 2 * (62 - 40) });
});
