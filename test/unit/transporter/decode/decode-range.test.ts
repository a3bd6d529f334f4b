import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WritableCodecName } from '../../../../shared/codec/codec.ts';
import { encodeRecordBatch, type RecordInput } from '../../../../shared/wire/encode-records.ts';
import { ATTRIBUTES_AT, CRC_AT, sealBatch } from '../../../../shared/wire/record-batch.ts';
import { decodeRange, type DecodeLayout } from '../../../../transporter/decode/decode-range.ts';
import { unzstd } from '../../../support/command-line-tools.ts';
import { jsonLines, textOf } from './decoding.ts';

const HOUR_MS = 3_600_000;
const NOON = Date.parse('2026-07-31T12:00:00Z');
const LINES: DecodeLayout = {
  bucket: 'hour',
  timeZone: 'UTC',
  time: { type: 'timestamp' },
  format: 'lines',
  columns: [],
  codec: 'none',
};

/**
 * A record batch as the broker hands it out: with the base offset that it gave it (the CRC does not cover
 * it).
 */
async function batchAt(
  baseOffset: number,
  records: readonly { text: string | null; timestampMs?: number }[],
  codec: WritableCodecName = 'lz4',
): Promise<Uint8Array> {
  const inputs = records.map(({ text, timestampMs = NOON }): RecordInput => ({
    value: text === null ? null : Buffer.from(text),
    timestampMs,
  }));
  const batch = Buffer.from(await encodeRecordBatch(inputs, { codec }));
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  return new Uint8Array(batch);
}

function decode(
  recordSets: Uint8Array[],
  options: { from?: number; to?: number; layout?: Partial<DecodeLayout> } = {},
) {
  const { from = 0, to = Number.MAX_SAFE_INTEGER, layout = {} } = options;
  const place = { topic: 'logs', partition: 3 };
  const range = { fromOffset: from, toOffset: to, maxBuckets: 1000 };
  return decodeRange({ ...place, recordSets, ...range, layout: { ...LINES, ...layout } });
}

describe('decodeRange', () => {
  it('makes one frame of many batches, one line to a record', async () => {
    const sets = [
      await batchAt(10, [{ text: 'a' }, { text: 'bb' }]),
      await batchAt(12, [{ text: 'ccc' }], 'gzip'),
    ];
    const { frames, undecodable } = await decode(sets);
    expect(undecodable).toEqual([]);
    expect(frames.map(textOf)).toEqual(['a\nbb\nccc\n']);
    expect(frames[0]).toMatchObject({
      bucket: { label: '2026-07-31T12:00' },
      records: 3,
      textBytes: 9,
      firstOffset: 10,
      lastOffset: 12,
      minTimestampMs: NOON,
      maxTimestampMs: NOON,
    });
  });

  it('compresses the text of a large batch by itself and small ones together, and the tool reads all of it', async () => {
    const large = (letter: string): string => letter.repeat(600 * 1024);
    const texts = ['a', 'b', large('c'), 'd', large('e'), 'f'];
    const sets = await Promise.all(texts.map((text, offset) => batchAt(offset, [{ text }])));
    const { frames } = await decode(sets, { layout: { codec: 'zstd', level: 1 } });
    expect(frames).toHaveLength(1);
    const { bytes, records, textBytes } = frames[0]!;
    expect(String(await unzstd(Buffer.from(bytes)))).toBe(texts.map((text) => `${text}\n`).join(''));
    expect({ records, textBytes }).toEqual({ records: 6, textBytes: 2 * 600 * 1024 + 4 + 6 });
    // Begins of frames (RFC 8878, 3.1.1): text so uniform holds none by chance.
    expect(Buffer.from(bytes).toString('hex').split('28b52ffd')).toHaveLength(1 + 5);
  });

  it('takes the marker of a transaction for no record', async () => {
    const marker = Buffer.from(await batchAt(12, [{ text: 'COMMIT' }], 'none'));
    marker[ATTRIBUTES_AT + 1]! |= 0x30;
    sealBatch(marker, { producerId: 7n, producerEpoch: 0, baseSequence: -1 });
    const sets = [
      await batchAt(10, [{ text: 'a' }, { text: 'b' }]),
      marker,
      await batchAt(13, [{ text: 'c' }]),
    ];
    const { frames, undecodable } = await decode(sets.map((set) => new Uint8Array(set)));
    expect(undecodable).toEqual([]);
    expect(frames.map(textOf)).toEqual(['a\nb\nc\n']);
  });

  it('gives null and empty values an empty line, so that lines and records have the same count', async () => {
    const { frames } = await decode([await batchAt(0, [{ text: null }, { text: '' }, { text: 'x' }])]);
    expect(frames.map(textOf)).toEqual(['\n\nx\n']);
  });

  it('keeps to the offsets it is asked for, also inside a batch', async () => {
    const set = await batchAt(
      100,
      ['a', 'b', 'c', 'd', 'e'].map((text) => ({ text })),
    );
    const { frames } = await decode([set], { from: 101, to: 104 });
    expect(frames.map(textOf)).toEqual(['b\nc\nd\n']);
    expect(frames[0]).toMatchObject({ firstOffset: 101, lastOffset: 103, records: 3 });
  });

  it('sorts the records of one batch into their hours and keeps their order in each', async () => {
    const set = await batchAt(0, [
      { text: 'noon-1', timestampMs: NOON },
      { text: 'late', timestampMs: NOON - 1 },
      { text: 'noon-2', timestampMs: NOON + HOUR_MS - 1 },
      { text: 'one', timestampMs: NOON + HOUR_MS },
    ]);
    const { frames } = await decode([set]);
    expect(frames.map((frame) => [frame.bucket.label, textOf(frame)])).toEqual([
      ['2026-07-31T12:00', 'noon-1\nnoon-2\n'],
      ['2026-07-31T11:00', 'late\n'],
      ['2026-07-31T13:00', 'one\n'],
    ]);
    expect(frames[0]).toMatchObject({
      firstOffset: 0,
      lastOffset: 2,
      minTimestampMs: NOON,
      maxTimestampMs: NOON + HOUR_MS - 1,
    });
  });

  it.each(['none', 'gzip', 'lz4', 'zstd'] as const)(
    'reads %s batches without writing to their bytes',
    async (codec) => {
      const set = await batchAt(0, [{ text: 'first line' }, { text: 'second line' }], codec);
      const before = Buffer.from(set).toString('hex');
      const { frames } = await decode([set]);
      expect(frames.map(textOf)).toEqual(['first line\nsecond line\n']);
      expect(Buffer.from(set).toString('hex')).toBe(before);
    },
  );

  it.each([
    ['zstd', (bytes: Buffer) => unzstd(bytes)],
    ['gzip', (bytes: Buffer) => gunzipSync(bytes)],
  ] as const)('writes %s frames that concatenate, as another program reads them', async (codec, read) => {
    const first = await decode([await batchAt(0, [{ text: 'one' }])], { layout: { codec } });
    const second = await decode([await batchAt(1, [{ text: 'two' }])], { layout: { codec } });
    const object = Buffer.concat([...first.frames, ...second.frames].map((frame) => frame.bytes));
    expect((await read(object)).toString()).toBe('one\ntwo\n');
  });

  it('hands out a batch with a wrong CRC as it came, and goes on with the next', async () => {
    const damaged = await batchAt(7, [{ text: 'lost' }, { text: 'lost too' }]);
    damaged[damaged.length - 1]! ^= 1;
    const { frames, refused, undecodable } = await decode([damaged, await batchAt(9, [{ text: 'good' }])]);
    expect(frames.map(textOf)).toEqual(['good\n']);
    expect(undecodable).toMatchObject([{ baseOffset: 7, records: 2, reason: 'WIRE_CORRUPT' }]);
    expect(jsonLines(textOf(refused!))).toEqual([
      {
        topic: 'logs',
        partition: 3,
        offset: 7,
        records: 2,
        reason: 'WIRE_CORRUPT',
        message: undecodable[0]!.message,
        batchBase64: Buffer.from(damaged).toString('base64'),
      },
    ]);
  });

  it('takes nothing from a batch whose records are damaged behind a right CRC', async () => {
    const batch = Buffer.from(await batchAt(0, [{ text: 'first' }, { text: 'second' }], 'none'));
    batch.writeUInt8(0x7f, batch.length - 1); // the last record claims headers that are not there
    const { crc32c } = await import('@node-rs/crc32');
    batch.writeUInt32BE(crc32c(batch.subarray(CRC_AT + 4)), CRC_AT);
    const before = batch.toString('base64');
    const { frames, refused, undecodable } = await decode([batch]);
    expect(frames).toEqual([]);
    expect(undecodable).toMatchObject([{ baseOffset: 0, reason: 'WIRE_CORRUPT' }]);
    expect(jsonLines(textOf(refused!))).toMatchObject([{ offset: 0, records: 2, batchBase64: before }]);
  });

  it('refuses a batch whose offsets were read before: its base offset is not under the CRC', async () => {
    const sets = [await batchAt(5, [{ text: 'a' }, { text: 'b' }]), await batchAt(6, [{ text: 'again' }])];
    const { frames, undecodable } = await decode([...sets, await batchAt(8, [{ text: 'c' }])], { from: 5 });
    expect(frames.map(textOf)).toEqual(['a\nb\nc\n']);
    expect(undecodable).toMatchObject([{ baseOffset: 7, reason: 'WIRE_CORRUPT' }]);
  });

  it('ends behind the batch that makes too many buckets', async () => {
    const sets = await Promise.all(
      [0, 1, 2].map((i) => batchAt(i * 2, [{ text: 'a', timestampMs: NOON + i * HOUR_MS }, { text: 'b' }])),
    );
    const place = { topic: 'logs', partition: 3, fromOffset: 0, toOffset: 6 };
    const range = await decodeRange({ ...place, recordSets: sets, maxBuckets: 2, layout: LINES });
    expect(range.endOffset).toBe(4);
    expect(range.frames.map(textOf)).toEqual(['a\nb\nb\n', 'a\n']);
  });

  it('loses and invents nothing, however records lie in time and in batches', async () => {
    const record = fc.record({
      text: fc.option(fc.string({ maxLength: 40, unit: fc.constantFrom('a', 'é', ' ', '\t', '"') }), {
        nil: null,
      }),
      timestampMs: fc.integer({ min: NOON - 3 * HOUR_MS, max: NOON + 3 * HOUR_MS }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(record, { minLength: 1, maxLength: 12 }), { maxLength: 6 }),
        fc.constantFrom('none' as const, 'lz4' as const, 'zstd' as const),
        fc.nat(20),
        fc.nat(80),
        async (batches, codec, from, length) => {
          const sets: Uint8Array[] = [];
          let next = 0;
          const expected = new Map<string, string>();
          for (const records of batches) {
            if (next < from + length && next + records.length > from)
              sets.push(await batchAt(next, records, codec));
            records.forEach(({ text, timestampMs }, i) => {
              if (next + i < from || next + i >= from + length) return;
              const hour = `${new Date(timestampMs).toISOString().slice(0, 13)}:00`;
              expected.set(hour, `${expected.get(hour) ?? ''}${text ?? ''}\n`);
            });
            next += records.length;
          }
          const { frames } = await decode(sets, { from, to: from + length });
          expect(new Map(frames.map((frame) => [frame.bucket.label, textOf(frame)]))).toEqual(expected);
        },
      ),
      { numRuns: 200 },
    );
  });
});
