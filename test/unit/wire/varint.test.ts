import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Cursor,
  readSafeVarlong,
  readVarint,
  readVarlong,
  sizeOfVarint,
  sizeOfVarlong,
  writeVarint,
  writeVarlong,
} from '../../../shared/wire/varint.ts';

function cursorOver(hex: string): Cursor {
  const bytes = Buffer.from(hex, 'hex');
  return { bytes, at: 0, limit: bytes.length };
}

function varintHex(value: number): string {
  const bytes = Buffer.alloc(16);
  return bytes.toString('hex', 0, writeVarint(bytes, 0, value));
}

function varlongHex(value: bigint): string {
  const bytes = Buffer.alloc(16);
  return bytes.toString('hex', 0, writeVarlong(bytes, 0, value));
}

// The zigzag table of the Protocol Buffers encoding page, and the vectors of Kafka's ByteUtilsTest.
const VARINTS = [
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [63, '7e'],
  [-64, '7f'],
  [64, '8001'],
  [-65, '8101'],
  [8191, 'fe7f'],
  [-8192, 'ff7f'],
  [8192, '808001'],
  [-8193, '818001'],
  [1048575, 'feff7f'],
  [-1048576, 'ffff7f'],
  [1048576, '80808001'],
  [-1048577, '81808001'],
  [134217727, 'feffff7f'],
  [-134217728, 'ffffff7f'],
  [134217728, '8080808001'],
  [-134217729, '8180808001'],
  [2147483647, 'feffffff0f'],
  [-2147483648, 'ffffffff0f'],
] as const;

const VARLONGS = [
  [17179869183n, 'feffffff7f'],
  [-17179869184n, 'ffffffff7f'],
  [17179869184n, '808080808001'],
  [-17179869185n, '818080808001'],
  [4611686018427387903n, 'feffffffffffffff7f'],
  [-4611686018427387904n, 'ffffffffffffffff7f'],
  [4611686018427387904n, '80808080808080808001'],
  [-4611686018427387905n, '81808080808080808001'],
  [9223372036854775807n, 'feffffffffffffffff01'],
  [-9223372036854775808n, 'ffffffffffffffffff01'],
] as const;

describe('varint', () => {
  test.each(VARINTS)('%i is %s', (value, hex) => {
    expect(varintHex(value)).toBe(hex);
    expect(sizeOfVarint(value)).toBe(hex.length / 2);
    const cursor = cursorOver(`${hex}ff`);
    expect(readVarint(cursor)).toBe(value);
    expect(cursor.at).toBe(hex.length / 2);
  });

  test('every int32 comes back, in the bytes that its size says', () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        const hex = varintHex(value);
        expect(hex.length).toBe(2 * sizeOfVarint(value));
        expect(readVarint(cursorOver(hex))).toBe(value);
        expect(varlongHex(BigInt(value))).toBe(hex);
      }),
    );
  });

  test('padding within five bytes is read, as Java does', () => {
    expect(readVarint(cursorOver('8280808000'))).toBe(1);
  });

  test.each(['', '80', 'ffffffff', '808080808000', 'ffffffff10', 'ffffffff7f', 'ffffffffff'])(
    'bytes "%s" are refused where they start',
    (hex) => {
      expect(() => readVarint(cursorOver(hex))).toThrow(
        expect.objectContaining({ code: 'WIRE_CORRUPT', where: { byte: 0 } }),
      );
    },
  );
});

describe('varlong', () => {
  test.each([...VARINTS.map(([value, hex]) => [BigInt(value), hex] as const), ...VARLONGS])(
    '%d is %s',
    (value, hex) => {
      expect(varlongHex(value)).toBe(hex);
      expect(sizeOfVarlong(value)).toBe(hex.length / 2);
      expect(readVarlong(cursorOver(hex))).toBe(value);
    },
  );

  test('every int64 comes back, in the bytes that its size says', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const hex = varlongHex(value);
        expect(hex.length).toBe(2 * sizeOfVarlong(value));
        const cursor = cursorOver(`${hex}80`);
        expect(readVarlong(cursor)).toBe(value);
        expect(cursor.at).toBe(hex.length / 2);
      }),
    );
  });

  test('every number within 2^53 comes back as a number', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const cursor = cursorOver(varlongHex(BigInt(value)));
        expect(readSafeVarlong(cursor)).toBe(value);
        expect(cursor.at).toBe(cursor.limit);
      }),
    );
  });

  test.each([2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n])('%d is refused as a number', (value) => {
    expect(() => readSafeVarlong(cursorOver(varlongHex(value)))).toThrow(/within 2\^53/);
  });

  test.each(['', '80', 'ffffffffffffffffff', 'ffffffffffffffffff02', '8080808080808080808000'])(
    'bytes "%s" are refused by both readers',
    (hex) => {
      const refusal = expect.objectContaining({ code: 'WIRE_CORRUPT', where: { byte: 0 } });
      expect(() => readVarlong(cursorOver(hex))).toThrow(refusal);
      expect(() => readSafeVarlong(cursorOver(hex))).toThrow(refusal);
    },
  );
});

test('nothing is read beyond the limit', () => {
  const bytes = Buffer.from('8001', 'hex');
  for (const read of [readVarint, readVarlong, readSafeVarlong]) {
    expect(() => read({ bytes, at: 0, limit: 1 })).toThrow(/ends before the bytes do/);
  }
});
