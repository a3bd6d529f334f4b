import { expect, test } from 'vitest';
import { splitRecordSet } from '../../../shared/wire/split-record-set.ts';
import { fromHex } from '../codec/hex.ts';
import { kafkaBatch } from './kafka-batches.ts';

const first = kafkaBatch('lines-lz4');
const second = kafkaBatch('lines-none');
const both = Buffer.concat([first, second]);

test('an empty record set', () => {
  expect(splitRecordSet(Buffer.alloc(0))).toEqual({
    batches: [],
    trailingBytes: 0,
    trailingBatchBytes: undefined,
  });
});

test('whole batches and nothing else', () => {
  expect(splitRecordSet(both)).toEqual({
    batches: [
      { start: 0, end: first.length },
      { start: first.length, end: both.length },
    ],
    trailingBytes: 0,
    trailingBatchBytes: undefined,
  });
});

test('every way to cut off the last batch', () => {
  for (let length = first.length; length < both.length; length++) {
    const trailingBytes = length - first.length;
    expect(splitRecordSet(both.subarray(0, length))).toEqual({
      batches: [{ start: 0, end: first.length }],
      trailingBytes,
      trailingBatchBytes: trailingBytes < 12 ? undefined : second.length,
    });
  }
});

test('a message set of an older format is split too, and refused when it is read', () => {
  // Magic 0: offset, size 14, CRC, magic, attributes, a null key and a null value.
  const message = fromHex('0000000000000007 0000000e 00000000 00 00 ffffffff ffffffff');
  expect(splitRecordSet(Buffer.concat([message, message])).batches).toHaveLength(2);
});

test.each([0, 13, -1, -2_147_483_648])('a batch length of %i is refused, with the byte', (length) => {
  const damaged = Buffer.from(both);
  damaged.writeInt32BE(length, first.length + 8);
  const refusal = expect.objectContaining({ code: 'WIRE_CORRUPT', where: { byte: first.length + 8 } });
  expect(() => splitRecordSet(damaged)).toThrow(refusal);
});
