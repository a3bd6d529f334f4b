import { describe, expect, test } from 'vitest';
import type { CodecName } from '../../../shared/codec/codec.ts';
import { decodeRecords } from '../../../shared/wire/decode-records.ts';
import { encodeLineBatch } from '../../../shared/wire/encode-lines.ts';
import { type OffsetBounds, readBatchHeader, sealBatch } from '../../../shared/wire/record-batch.ts';
import { codeOf, forEachFlippedBit } from './damage.ts';
import { kafkaBatch } from './kafka-batches.ts';

const LIMIT = 1024 * 1024;
const BASE_OFFSET_BYTES = [0, 8] as const;
const LEADER_EPOCH_BYTES = [12, 16] as const;

async function ourBatch(codec: Exclude<CodecName, 'snappy'>): Promise<Buffer> {
  const bytes = Buffer.from(Array.from({ length: 12 }, (_, i) => `GET /item/${i} HTTP/1.1" 200\n`).join(''));
  const segment = { bytes, start: 0, end: bytes.length, terminated: true, fileId: '8:1:f', fileOffset: 0 };
  const limits = { maxRecordBytes: 1000, oversize: 'truncate' } as const;
  const names = { host: 'web-7', pipeline: 'access', timestampMs: 1_700_000_000_000 };
  const { bytes: batch } = await encodeLineBatch([segment], { codec, ...names, ...limits });
  sealBatch(batch, { producerId: 4242n, producerEpoch: 5, baseSequence: 11 });
  return Buffer.from(batch);
}

const BATCHES: [string, Buffer][] = [
  ...(await Promise.all(
    (['none', 'gzip', 'lz4', 'zstd'] as const).map(async (codec): Promise<[string, Buffer]> => [
      `ours, ${codec}`,
      await ourBatch(codec),
    ]),
  )),
  ...['none', 'gzip', 'snappy', 'lz4', 'zstd'].map((codec): [string, Buffer] => [
    `Kafka's, ${codec}`,
    kafkaBatch(`lines-${codec}`),
  ]),
];

describe.each(BATCHES)('%s', (_name, batch) => {
  const { baseOffset, lastOffset } = readBatchHeader(batch, { start: 0, end: batch.length });
  const bounds: OffsetBounds = { minOffset: baseOffset, maxOffset: lastOffset };
  const decode = (bytes: Buffer) => () => decodeRecords(bytes, { bounds, maxOutputBytes: LIMIT });

  test('is whole to begin with', async () => {
    expect(await codeOf(decode(batch))).toBe('accepted');
  });

  test('every flipped bit is refused, except in the leader epoch', async () => {
    const accepted = new Set<number>();
    const codes = new Set<string>();
    await forEachFlippedBit(batch, 0, batch.length, async (byte) => {
      const code = await codeOf(decode(batch));
      codes.add(code);
      if (code === 'accepted') accepted.add(byte);
    });
    // Another magic may be a format from before or after ours, so it is unsupported rather than corrupt.
    expect(codes).toEqual(new Set(['WIRE_CORRUPT', 'WIRE_UNSUPPORTED', 'accepted']));
    expect([...accepted]).toEqual([12, 13, 14, 15]);
  });

  test('every changed byte is refused, except in the leader epoch', async () => {
    for (let byte = 0; byte < batch.length; byte++) {
      if (byte >= LEADER_EPOCH_BYTES[0] && byte < LEADER_EPOCH_BYTES[1]) continue;
      const original = batch[byte]!;
      for (const value of [0x00, 0x7f, 0x80, 0xff].filter((candidate) => candidate !== original)) {
        batch[byte] = value;
        expect(await codeOf(decode(batch)), `byte ${byte}`).toMatch(/^WIRE_(CORRUPT|UNSUPPORTED)$/);
      }
      batch[byte] = original;
    }
  });

  test('every truncation is refused', async () => {
    for (let length = 0; length < batch.length; length++) {
      expect(await codeOf(decode(batch.subarray(0, length))), `${length} bytes`).toBe('WIRE_CORRUPT');
    }
  });

  test('without bounds, a changed base offset passes, as the documentation says', async () => {
    const accepted = new Set<number>();
    await forEachFlippedBit(batch, ...BASE_OFFSET_BYTES, async (byte) => {
      const code = await codeOf(() => decodeRecords(batch, { maxOutputBytes: LIMIT }));
      if (code === 'accepted') accepted.add(byte);
    });
    expect([...accepted]).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });
});
