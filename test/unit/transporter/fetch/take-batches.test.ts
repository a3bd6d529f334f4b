import { describe, expect, it } from 'vitest';
import { encodeRecordBatch } from '../../../../shared/wire/encode-records.ts';
import {
  ATTRIBUTES_AT,
  BATCH_LENGTH_AT,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  sealBatch,
} from '../../../../shared/wire/record-batch.ts';
import { takeBatches } from '../../../../transporter/fetch/take-batches.ts';

const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

interface BatchOptions {
  base: number;
  count?: number;
  producerId?: number;
  attributes?: number;
  bytes?: number;
}

/** A batch as it stands in a log. */
async function batch({
  base,
  count = 1,
  producerId = -1,
  attributes = 0,
  bytes = 1,
}: BatchOptions): Promise<Buffer> {
  const records = Array.from({ length: count }, (_, i) => ({
    value: Buffer.alloc(bytes),
    timestampMs: 1000 + i,
  }));
  const encoded = Buffer.from(await encodeRecordBatch(records, { codec: 'none' }));
  encoded.writeBigInt64BE(BigInt(base), 0);
  encoded.writeInt16BE(attributes, ATTRIBUTES_AT);
  sealBatch(encoded, { producerId: BigInt(producerId), producerEpoch: 0, baseSequence: 0 });
  return encoded;
}

function answer(records: Buffer[], abortedTransactions: { producerId: bigint; firstOffset: number }[] = []) {
  return { records: Buffer.concat(records), abortedTransactions, highWatermark: 1_000_000 };
}

const bytesOf = (taken: ReturnType<typeof takeBatches>): Buffer =>
  Buffer.concat(taken.pieces.map(({ bytes }) => bytes));

describe('takeBatches', () => {
  it('takes whole batches, into buffers of their own, and leaves the one that is cut off', async () => {
    const whole = [await batch({ base: 5, count: 3 }), await batch({ base: 8, count: 2 })];
    const cutOff = (await batch({ base: 10 })).subarray(0, 40);
    const given = answer([...whole, cutOff]);
    const taken = takeBatches(given, 5);
    expect(taken.nextOffset).toBe(10);
    expect(bytesOf(taken).equals(Buffer.concat(whole))).toBe(true);
    expect(taken.pieces[0]!.bytes.buffer.byteLength).toBe(taken.pieces[0]!.bytes.length);
    given.records.fill(0);
    expect(bytesOf(taken).equals(Buffer.concat(whole))).toBe(true);
  });

  it.each([
    ['a marker', ATTRIBUTES_AT + 1, CONTROL],
    ['a batch without records', RECORD_COUNT_AT + 3, 1],
    ['a batch of an aborted transaction', PRODUCER_ID_AT + 7, 2 ^ 7],
  ])('hands what a turned bit makes look like %s to the decoder', async (_, byte, bit) => {
    const damaged = await batch({ base: 5, producerId: 2, attributes: TRANSACTIONAL });
    damaged[byte]! ^= bit;
    const taken = takeBatches(answer([damaged], [{ producerId: 7n, firstOffset: 0 }]), 5);
    expect(bytesOf(taken).equals(damaged)).toBe(true);
    expect(taken.nextOffset).toBe(6);
  });

  it('takes the batch that the offset is in the middle of, and doubts that there is one before it', async () => {
    const [before, middle] = [await batch({ base: 0, count: 5 }), await batch({ base: 5, count: 5 })];
    const taken = takeBatches(answer([before, middle]), 7);
    expect(bytesOf(taken).equals(middle)).toBe(true);
    expect(taken).toMatchObject({ nextOffset: 10, isInDoubt: true });
    expect(takeBatches(answer([middle]), 7)).toMatchObject({ nextOffset: 10, isInDoubt: false });
  });

  it('doubts epochs of leaders that go back', async () => {
    const sets = await Promise.all([0, 1, 2].map((base) => batch({ base })));
    const taken = (...epochs: number[]) => {
      for (const [i, epoch] of epochs.entries()) sets[i]!.writeInt32BE(epoch, LEADER_EPOCH_AT);
      return takeBatches(answer(sets), 0);
    };
    expect(taken(3, 3, 4)).toMatchObject({ isInDoubt: false });
    expect(taken(3, 7, 4)).toMatchObject({ isInDoubt: true });
    expect(taken(-1, -1, -1)).toMatchObject({ isInDoubt: false });
  });

  it('stops at the end of a replay, also inside a batch', async () => {
    const sets = [
      await batch({ base: 0, count: 5 }),
      await batch({ base: 5, count: 5 }),
      await batch({ base: 10 }),
    ];
    const taken = takeBatches(answer(sets), 0, 7);
    expect(bytesOf(taken).equals(Buffer.concat(sets.slice(0, 2)))).toBe(true);
    expect(taken.nextOffset).toBe(7);
    expect(takeBatches(answer(sets), 0, 10).nextOffset).toBe(10);
  });

  it('says that a batch behind the end of a replay is there, and what it may have jumped over is left to fetch', async () => {
    const sets = [await batch({ base: 0, count: 5 }), await batch({ base: 12 })];
    expect(takeBatches(answer(sets), 0, 10)).toMatchObject({ nextOffset: 5, isPastEnd: true });
    expect(takeBatches(answer(sets.slice(1)), 5, 10)).toMatchObject({ nextOffset: 5, isPastEnd: true });
    expect(takeBatches(answer(sets.slice(0, 1)), 0, 10)).toMatchObject({ nextOffset: 5, isPastEnd: false });
  });

  it('says where leaders changed, also in batches that are not carried', async () => {
    const sets = [
      await batch({ base: 0, count: 5 }),
      await batch({ base: 5 }),
      await batch({ base: 6 }),
      await batch({ base: 7, attributes: TRANSACTIONAL | CONTROL }),
    ];
    [2, 4, 4, 5].forEach((epoch, i) => sets[i]!.writeInt32BE(epoch, 12));
    expect(takeBatches(answer(sets), 3).epochs).toEqual([
      { epoch: 2, offset: 0 },
      { epoch: 4, offset: 5 },
      { epoch: 5, offset: 7 },
    ]);
    expect(takeBatches(answer(sets), 3, 6).epochs.map(({ epoch }) => epoch)).toEqual([2, 4]);
  });

  it('goes on behind offsets that compaction has removed', async () => {
    const taken = takeBatches(answer([await batch({ base: 20, count: 2 })]), 5);
    expect(taken.nextOffset).toBe(22);
  });

  it('cuts a large answer into pieces that are decoded at the same time', async () => {
    const sets = await Promise.all([0, 1, 2, 3, 4].map((base) => batch({ base, bytes: 400_000 })));
    const { pieces, nextOffset } = takeBatches(answer(sets), 0);
    expect(pieces.map(({ endOffset }) => endOffset)).toEqual([3, 5]);
    expect(nextOffset).toBe(5);
  });

  it('leaves out aborted transactions and all markers, and keeps what lies between them (KIP-98)', async () => {
    const plain = await batch({ base: 0 });
    const aborted = await batch({ base: 1, producerId: 7, attributes: TRANSACTIONAL });
    const committed = await batch({ base: 2, producerId: 8, attributes: TRANSACTIONAL });
    const abortedToo = await batch({ base: 3, producerId: 7, attributes: TRANSACTIONAL });
    const abortMarker = await batch({ base: 4, producerId: 7, attributes: TRANSACTIONAL | CONTROL });
    const nextOfSame = await batch({ base: 5, producerId: 7, attributes: TRANSACTIONAL });
    const commitMarker = await batch({ base: 6, producerId: 8, attributes: TRANSACTIONAL | CONTROL });
    const all = [plain, aborted, committed, abortedToo, abortMarker, nextOfSame, commitMarker];
    const taken = takeBatches(answer(all, [{ producerId: 7n, firstOffset: 1 }]), 0);
    expect(bytesOf(taken).equals(Buffer.concat([plain, committed, nextOfSame]))).toBe(true);
    expect(taken.nextOffset).toBe(7);
  });

  it('takes several aborted transactions of one producer for what they are, whatever the order of the list', async () => {
    const of = (base: number, attributes = TRANSACTIONAL) => batch({ base, producerId: 7, attributes });
    const marker = TRANSACTIONAL | CONTROL;
    const kept = await of(2);
    const all = [
      await of(0),
      await of(1, marker),
      kept,
      await of(3, marker),
      await of(4),
      await of(5, marker),
    ];
    const taken = takeBatches(
      answer(all, [
        { producerId: 7n, firstOffset: 4 },
        { producerId: 7n, firstOffset: 0 },
      ]),
      0,
    );
    expect(bytesOf(taken).equals(kept)).toBe(true);
  });

  it('moves on over an answer of markers only, so that it is not fetched for ever', async () => {
    const taken = takeBatches(
      answer([await batch({ base: 9, producerId: 1, attributes: TRANSACTIONAL | CONTROL })]),
      9,
    );
    expect(taken).toEqual({ pieces: [], nextOffset: 10, isPastEnd: false, isInDoubt: false, epochs: [] });
  });

  it.each([
    [
      'a last offset beyond what the broker has',
      (bytes: Buffer) => bytes.writeInt32BE(2 ** 30, LAST_OFFSET_DELTA_AT),
    ],
    ['a base offset beyond what the broker has', (bytes: Buffer) => bytes.writeBigInt64BE(2n ** 40n, 0)],
    ['a magic of another format', (bytes: Buffer) => bytes.writeInt8(1, CRC_AT - 1)],
  ])('hands a batch with %s to the decoder, and goes on with the one behind it', async (_, damage) => {
    const [damaged, good] = [await batch({ base: 5, count: 3 }), await batch({ base: 8 })];
    damage(damaged);
    const taken = takeBatches(answer([damaged, good]), 5);
    expect(bytesOf(taken).equals(Buffer.concat([damaged, good]))).toBe(true);
    expect(taken.nextOffset).toBe(9);
    expect(takeBatches(answer([damaged]), 5).nextOffset).toBe(6);
  });

  it('goes on behind a batch of an unknown codec, also when no other follows, so that it comes once', async () => {
    const unknown = await batch({ base: 5, count: 20, attributes: 7 });
    const taken = takeBatches(answer([unknown]), 5);
    expect(bytesOf(taken).equals(unknown)).toBe(true);
    expect(taken.nextOffset).toBe(25);
  });

  it('leaves a batch that makes no sense behind the end of a replay to what comes after', async () => {
    const [good, unknown] = [await batch({ base: 0, count: 5 }), await batch({ base: 5, attributes: 7 })];
    for (const damaged of [unknown, Buffer.from(unknown).fill(1, CRC_AT - 1)]) {
      const taken = takeBatches(answer([good, damaged]), 0, 5);
      expect(bytesOf(taken).equals(good)).toBe(true);
      expect(taken.nextOffset).toBe(5);
    }
    expect(takeBatches(answer([unknown]), 4, 5)).toMatchObject({ nextOffset: 4, isPastEnd: true });
  });

  it('takes what stands before a length that makes no sense, and refuses an answer that begins with one', async () => {
    const [good, damaged] = [await batch({ base: 5 }), await batch({ base: 6 })];
    damaged.writeInt32BE(-1, BATCH_LENGTH_AT);
    const taken = takeBatches(answer([good, damaged]), 5);
    expect(bytesOf(taken).equals(good)).toBe(true);
    expect(taken.nextOffset).toBe(6);
    expect(() => takeBatches(answer([damaged]), 6)).toThrow(
      expect.objectContaining({ code: 'WIRE_CORRUPT' }),
    );
  });
});
