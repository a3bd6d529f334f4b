import { describe, expect, test } from 'vitest';
import { decodeRecords } from '../../../shared/wire/decode-records.ts';
import { encodeRecordBatch } from '../../../shared/wire/encode-records.ts';
import { readBatchHeader, sealBatch, verifyBatch } from '../../../shared/wire/record-batch.ts';
import { crc32c } from '../../../shared/wire/crc32c.ts';
import { fromHex } from '../codec/hex.ts';
import { kafkaBatch } from './kafka-batches.ts';

const TIME = 1_700_000_000_000;
const LIMIT = 1024 * 1024;

function whole(bytes: Uint8Array) {
  return { start: 0, end: bytes.length };
}

/** Makes the CRC right again, for damage that only the checks behind it can see. */
function withCrc(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, 21), 17);
  return batch;
}

test('the smallest batch, written out by hand from the protocol guide', async () => {
  const golden = [
    '0000000000000000', // base offset
    '00000039', // batch length: 49 of the header, 8 of the record
    'ffffffff', // partition leader epoch
    '02', // magic
    '965a94b1', // CRC-32C, by a bitwise implementation of the polynomial 0x82f63b78
    '0000', // attributes: no codec, create time
    '00000000', // last offset delta
    '0000018bcfe56800', // base timestamp
    '0000018bcfe56800', // maximum timestamp
    'ffffffffffffffff', // producer id
    'ffff', // producer epoch
    'ffffffff', // base sequence
    '00000001', // record count
    '0e', // 7 bytes follow
    '00 00 00', // attributes, timestamp delta, offset delta
    '01 0261 00', // null key, value "a", no headers
  ].join('');
  const batch = await encodeRecordBatch([{ value: Buffer.from('a'), timestampMs: TIME }], { codec: 'none' });
  expect(Buffer.from(batch).toString('hex')).toBe(fromHex(golden).toString('hex'));
});

describe('batches of Apache Kafka', () => {
  const lines = Array.from({ length: 20 }, (_, i) => ({
    offset: 1_000_000 + i,
    timestampMs: TIME + i,
    key: null,
    value: Buffer.from(`line ${i} of a file that repeats itself`),
    headers: [],
  }));

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('%s', async (codec) => {
    const { header, records } = await decodeRecords(kafkaBatch(`lines-${codec}`), { maxOutputBytes: LIMIT });
    expect(records).toEqual(lines);
    expect(header).toEqual({
      start: 0,
      end: kafkaBatch(`lines-${codec}`).length,
      baseOffset: 1_000_000,
      lastOffset: 1_000_019,
      leaderEpoch: 3,
      codec,
      isLogAppendTime: false,
      isTransactional: false,
      isControl: false,
      lastOffsetDelta: 19,
      baseTimestampMs: TIME,
      maxTimestampMs: TIME + 19,
      producerId: 4242n,
      producerEpoch: 5,
      baseSequence: 11,
      recordCount: 20,
    });
  });

  test('nulls, empties, headers, and times that go back and far ahead', async () => {
    const { records } = await decodeRecords(kafkaBatch('mixed'), { maxOutputBytes: LIMIT });
    const empty = Buffer.alloc(0);
    const headers = [
      { key: 'trace', value: Buffer.from('a1') },
      { key: 'été', value: null },
      { key: '', value: empty },
    ];
    const value = Buffer.from('x'.repeat(200));
    expect(records).toEqual([
      { offset: 1_000_000, timestampMs: TIME, key: null, value: null, headers: [] },
      { offset: 1_000_001, timestampMs: TIME - 100_000, key: empty, value: empty, headers: [] },
      { offset: 1_000_002, timestampMs: TIME + 10_000_000_000, key: Buffer.from('k'), value, headers },
    ]);
    // What Java has written from these records is what we write from them.
    const ours = Buffer.from(await encodeRecordBatch(records, { codec: 'none' }));
    sealBatch(ours, { producerId: 4242n, producerEpoch: 5, baseSequence: 11 });
    const theirs = kafkaBatch('mixed');
    expect(ours.subarray(16).equals(theirs.subarray(16))).toBe(true);
  });

  test('log append time is the time of every record', async () => {
    const { header, records } = await decodeRecords(kafkaBatch('append-time'), { maxOutputBytes: LIMIT });
    expect(header.isLogAppendTime).toBe(true);
    expect(new Set(records.map(({ timestampMs }) => timestampMs))).toEqual(new Set([TIME + 5]));
  });

  test('transactional batches, markers, and what compaction leaves of a batch', async () => {
    const transactional = kafkaBatch('transactional');
    expect(verifyBatch(transactional, whole(transactional))).toMatchObject({
      isTransactional: true,
      isControl: false,
    });
    const marker = kafkaBatch('commit-marker');
    const markerHeader = {
      isTransactional: true,
      isControl: true,
      baseOffset: 7,
      recordCount: 1,
      baseSequence: -1,
    };
    expect(verifyBatch(marker, whole(marker))).toMatchObject(markerHeader);
    const compacted = await decodeRecords(kafkaBatch('compacted-away'), { maxOutputBytes: LIMIT });
    expect(compacted.header).toMatchObject({ baseOffset: 100, lastOffset: 119, recordCount: 0 });
    expect(compacted.records).toEqual([]);
  });
});

test('sealing changes the identity and the CRC and nothing else', () => {
  const golden = kafkaBatch('lines-lz4');
  const batch = kafkaBatch('lines-lz4');
  sealBatch(batch, { producerId: 2n ** 62n + 1n, producerEpoch: 32_767, baseSequence: 2_147_483_647 });
  expect(verifyBatch(batch, whole(batch))).toMatchObject({
    producerId: 4_611_686_018_427_387_905n,
    producerEpoch: 32_767,
    baseSequence: 2_147_483_647,
  });
  sealBatch(batch, { producerId: 4242n, producerEpoch: 5, baseSequence: 11 });
  expect(batch.equals(golden)).toBe(true);
});

test('a batch in the middle of a larger buffer', async () => {
  const batch = kafkaBatch('lines-zstd');
  const padded = Buffer.concat([Buffer.alloc(13, 0xee), batch, Buffer.alloc(9, 0xee)]);
  const span = { start: 13, end: 13 + batch.length };
  const { header, records } = await decodeRecords(padded, { span, maxOutputBytes: LIMIT });
  expect(header).toMatchObject(span);
  expect(records).toHaveLength(20);
});

test('a span that reaches beyond the bytes', () => {
  const batch = kafkaBatch('lines-none');
  for (const cut of [batch.subarray(0, 60), batch.subarray(0, -1)]) {
    const refusal = expect.objectContaining({ code: 'WIRE_CORRUPT', where: { byte: 0 } });
    expect(() => verifyBatch(cut, whole(batch))).toThrow(refusal);
    expect(() => readBatchHeader(cut, whole(batch))).toThrow(refusal);
  }
});

test('a batch without records cannot be encoded', async () => {
  await expect(encodeRecordBatch([], { codec: 'none' })).rejects.toThrow(RangeError);
});

describe('offsets', () => {
  const batch = kafkaBatch('lines-none');

  test.each([{}, { minOffset: 1_000_000, maxOffset: 1_000_019 }])('bounds %j hold them', (bounds) => {
    expect(verifyBatch(batch, whole(batch), bounds).lastOffset).toBe(1_000_019);
  });

  test.each([{ minOffset: 1_000_001 }, { maxOffset: 1_000_018 }])('bounds %j do not', (bounds) => {
    const refusal = expect.objectContaining({ code: 'WIRE_CORRUPT', where: { byte: 0 } });
    expect(() => verifyBatch(batch, whole(batch), bounds)).toThrow(refusal);
  });

  test.each([-1n, 2n ** 53n - 19n, 2n ** 63n - 1n])('base offset %d is refused', (baseOffset) => {
    const damaged = kafkaBatch('lines-none');
    damaged.writeBigInt64BE(baseOffset, 0);
    expect(() => verifyBatch(damaged, whole(damaged))).toThrow(/damaged at byte 0/);
  });

  test('the largest safe base offset is read exactly', () => {
    const far = kafkaBatch('lines-none');
    far.writeBigInt64BE(2n ** 53n - 20n, 0);
    expect(verifyBatch(far, whole(far)).lastOffset).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe('headers that no producer writes, with a right CRC', () => {
  const at = (change: (batch: Buffer) => void) => {
    const batch = kafkaBatch('lines-none');
    change(batch);
    return withCrc(batch);
  };
  test.each([
    ['a negative last offset delta', 23, at((batch) => batch.writeInt32BE(-1, 23))],
    ['a negative record count', 57, at((batch) => batch.writeInt32BE(-1, 57))],
    ['more records than offsets', 57, at((batch) => batch.writeInt32BE(21, 57))],
    [
      'more records than bytes',
      57,
      at((batch) => {
        batch.writeInt32BE(2_147_483_646, 23);
        batch.writeInt32BE(2_147_483_647, 57);
      }),
    ],
    ['a base timestamp beyond 2^53', 27, at((batch) => batch.writeBigInt64BE(2n ** 53n, 27))],
    ['a maximum timestamp beyond 2^53', 35, at((batch) => batch.writeBigInt64BE(-(2n ** 63n), 35))],
  ])('%s', (_name, byte, batch) => {
    const refusal = expect.objectContaining({ code: 'WIRE_CORRUPT', where: { byte } });
    expect(() => verifyBatch(batch, whole(batch))).toThrow(refusal);
    expect(() => readBatchHeader(batch, whole(batch))).toThrow(refusal);
  });

  test.each([5, 6, 7])('codec %i is unsupported', (codec) => {
    const batch = at((bytes) => bytes.writeInt16BE(codec, 21));
    expect(() => verifyBatch(batch, whole(batch))).toThrow(
      expect.objectContaining({ code: 'WIRE_UNSUPPORTED' }),
    );
  });

  test.each([0, 1])('magic %i, from before Kafka 0.11, is unsupported', (magic) => {
    const batch = kafkaBatch('lines-none');
    batch[16] = magic;
    expect(() => verifyBatch(batch, whole(batch))).toThrow(
      expect.objectContaining({ code: 'WIRE_UNSUPPORTED' }),
    );
  });
});

test('the header alone can be read without looking at the CRC', () => {
  const batch = kafkaBatch('lines-none');
  batch[20]! ^= 1;
  expect(readBatchHeader(batch, whole(batch)).recordCount).toBe(20);
  expect(() => verifyBatch(batch, whole(batch))).toThrow(/damaged at byte 17/);
});
