import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtocolReader, ProtocolWriter } from '../../../shared/kafka/protocol.ts';

const hex = (writer: ProtocolWriter): string => writer.finish().toString('hex');

const refused = expect.objectContaining({ code: 'KAFKA_PROTOCOL' });

describe('writing', () => {
  // Expectations from the protocol guide, "Protocol Primitive Types": big endian, two's complement, lengths in bytes.
  test.each<[string, (writer: ProtocolWriter) => ProtocolWriter, string]>([
    ['INT8', (w) => w.int8(-1).int8(127), 'ff7f'],
    ['INT16', (w) => w.int16(-2).int16(258), 'fffe0102'],
    ['INT32', (w) => w.int32(-1).int32(16_909_060), 'ffffffff01020304'],
    ['INT64', (w) => w.int64(-2).int64(Number.MAX_SAFE_INTEGER), 'fffffffffffffffe001fffffffffffff'],
    ['BOOLEAN', (w) => w.boolean(true).boolean(false), '0100'],
    ['STRING', (w) => w.string('aü').string(''), '000361c3bc0000'],
    ['NULLABLE_STRING', (w) => w.nullableString(undefined).nullableString('a'), 'ffff000161'],
    ['BYTES', (w) => w.bytes(Uint8Array.of(1, 2)).bytes(new Uint8Array(0)), '00000002010200000000'],
    ['ARRAY', (w) => w.array([1, 2], (n) => w.int8(n)).array([], () => {}), '00000002010200000000'],
  ])('%s', (_, write, expected) => {
    expect(hex(write(new ProtocolWriter()))).toBe(expected);
  });

  test('an empty request is no bytes', () => {
    expect(new ProtocolWriter().finish()).toHaveLength(0);
  });

  test('fields that do not fit into the first buffer keep what is before them', () => {
    for (const length of [250, 254, 255, 256, 257, 300, 5_000]) {
      const writer = new ProtocolWriter().int32(7).string('x'.repeat(length)).int32(8);
      const bytes = writer.finish();
      expect(bytes).toHaveLength(4 + 2 + length + 4);
      expect(bytes.readInt32BE(0)).toBe(7);
      expect(bytes.toString('latin1', 6, 6 + length)).toBe('x'.repeat(length));
      expect(bytes.readInt32BE(6 + length)).toBe(8);
    }
  });

  test('large bytes are between the small fields where they belong', () => {
    const large = Buffer.alloc(100_000, 0xab);
    const bytes = new ProtocolWriter().int16(1).bytes(large).int16(2).bytes(large).int16(3).finish();
    expect(bytes).toHaveLength(3 * 2 + 2 * 100_004);
    expect(bytes.readInt16BE(0)).toBe(1);
    expect(bytes.readInt32BE(2)).toBe(100_000);
    expect(bytes.subarray(6, 100_006).equals(large)).toBe(true);
    expect(bytes.readInt16BE(100_006)).toBe(2);
    expect(bytes.readInt16BE(bytes.length - 2)).toBe(3);
  });
});

describe('reading', () => {
  const reader = (text: string): ProtocolReader => new ProtocolReader(Buffer.from(text, 'hex'));

  test('nulls: a STRING as undefined, BYTES and arrays as empty', () => {
    expect(reader('ffff').nullableString()).toBeUndefined();
    expect(reader('ffff').string()).toBe('');
    expect(reader('ffffffff').bytes()).toHaveLength(0);
    expect(reader('ffffffff').array(() => 1)).toEqual([]);
  });

  test('bytes are a view, not a copy: a record set is not moved twice', () => {
    const answer = Buffer.from('00000002aabb', 'hex');
    expect(new ProtocolReader(answer).bytes().buffer).toBe(answer.buffer);
  });

  test.each<[string, string, (r: ProtocolReader) => unknown]>([
    ['an INT8 of nothing', '', (r) => r.int8()],
    ['half an INT16', '00', (r) => r.int16()],
    ['half an INT64', '00000000', (r) => r.bigint64()],
    ['a STRING longer than the answer', '000561', (r) => r.string()],
    ['a STRING of negative length', 'fffe61', (r) => r.string()],
    ['BYTES longer than the answer', '7fffffff00', (r) => r.bytes()],
    ['BYTES of negative length', 'fffffffe00', (r) => r.bytes()],
    ['an array of more elements than there are bytes', '7fffffff0000', (r) => r.array(() => r.int8())],
    ['an array of negative length', 'fffffffe', (r) => r.array(() => r.int8())],
    ['an INT64 beyond 2^53', '0020000000000000', (r) => r.int64()],
    ['an INT64 below -2^53', 'ffdfffffffffffff', (r) => r.int64()],
  ])('%s is refused', (_, bytes, read) => {
    expect(() => read(reader(bytes))).toThrow(refused);
  });

  test('a hostile count does not make it allocate: it is refused before the first element', () => {
    let read = 0;
    const bytes = reader('7fffffff');
    expect(() =>
      bytes.array(() => {
        read += 1;
        return read;
      }),
    ).toThrow(refused);
    expect(read).toBe(0);
  });

  test('whatever was written is read back, whatever the sizes', () => {
    const field = fc.oneof(
      fc.record({
        type: fc.constant('int32' as const),
        value: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      }),
      fc.record({ type: fc.constant('int64' as const), value: fc.maxSafeInteger() }),
      fc.record({
        type: fc.constant('string' as const),
        value: fc.string({ unit: 'grapheme', maxLength: 300 }),
      }),
      fc.record({ type: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 700 }) }),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 20 }), (fields) => {
        const writer = new ProtocolWriter();
        for (const { type, value } of fields) {
          if (type === 'int32') writer.int32(value);
          else if (type === 'int64') writer.int64(value);
          else if (type === 'string') writer.string(value);
          else writer.bytes(value);
        }
        const reader = new ProtocolReader(writer.finish());
        const back = fields.map(({ type }) => {
          if (type === 'int32') return reader.int32();
          if (type === 'int64') return reader.int64();
          if (type === 'string') return reader.string();
          return new Uint8Array(reader.bytes());
        });
        expect(back).toEqual(fields.map(({ value }) => value));
      }),
      { numRuns: 200 },
    );
  });
});
