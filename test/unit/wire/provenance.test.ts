import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from '../../../shared/wire/crc32c.ts';
import { decodeProvenance, encodeProvenance } from '../../../shared/wire/provenance.ts';
import { codeOf, forEachFlippedBit } from './damage.ts';
import { fromHex } from '../codec/hex.ts';

const SAMPLE = {
  host: 'web-7',
  pipeline: 'access',
  ranges: [
    { fileId: '8:1:4f2a', start: 0, end: 1_048_525, records: 7844, crc32c: 0xffffffff },
    { fileId: '8:2:ünï', start: 2 ** 52, end: 2 ** 53 - 1, records: 0, crc32c: 0 },
  ],
};

/** Puts a right CRC behind a body, for damage that only the checks behind it can see. */
function sealed(hex: string): Buffer {
  const body = fromHex(hex);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32c(body));
  return Buffer.concat([body, crc]);
}

test('the layout, written out by hand', () => {
  const golden = [
    '01', // version
    '0268 0270', // host "h", pipeline "p"
    '02', // one range
    '0266', // file "f"
    '0a 0c 06', // start 5, length 6, 3 records
    '0d1cf5b0', // CRC-32C of "a\n\nb\r\n", by a bitwise implementation of the polynomial
    'c9df48b5', // CRC-32C of all of the above
  ].join('');
  const range = { fileId: 'f', start: 5, end: 11, records: 3, crc32c: 0x0d1cf5b0 };
  const provenance = { host: 'h', pipeline: 'p', ranges: [range] };
  expect(fromHex(golden).equals(encodeProvenance(provenance))).toBe(true);
  expect(decodeProvenance(fromHex(golden))).toEqual(provenance);
});

test('what was encoded is decoded', () => {
  const count = fc.maxSafeNat();
  const range = fc
    .record({
      fileId: fc.string({ unit: 'grapheme' }),
      edges: fc.tuple(count, count),
      records: count,
      crc: fc.nat(0xffffffff),
    })
    .map(({ fileId, edges, records, crc }) => {
      return { fileId, start: Math.min(...edges), end: Math.max(...edges), records, crc32c: crc };
    });
  const text = fc.string({ unit: 'grapheme' });
  fc.assert(
    fc.property(fc.record({ host: text, pipeline: text, ranges: fc.array(range) }), (provenance) => {
      expect(decodeProvenance(encodeProvenance(provenance))).toEqual(provenance);
    }),
  );
});

test('a byte order mark is part of a name', () => {
  const provenance = { ...SAMPLE, host: '\ufeffweb' };
  expect(decodeProvenance(encodeProvenance(provenance))).toEqual(provenance);
});

test('every flipped bit and every truncation is refused', async () => {
  const bytes = Buffer.from(encodeProvenance(SAMPLE));
  await forEachFlippedBit(bytes, 0, bytes.length, async (byte, bit) => {
    expect(await codeOf(() => decodeProvenance(bytes)), `byte ${byte} bit ${bit}`).toBe('WIRE_CORRUPT');
  });
  for (let length = 0; length < bytes.length; length++) {
    expect(await codeOf(() => decodeProvenance(bytes.subarray(0, length)))).toBe('WIRE_CORRUPT');
  }
});

test.each([
  ['a later version', '02 0000 00'],
  ['nothing after the version', '01'],
  ['bytes after the last range', '01 0000 00 00'],
  ['a negative range count', '01 0000 01'],
  ['more ranges than bytes', '01 0000 feffffff0f'],
  ['a string that reaches beyond the end', '01 0668 00 00'],
  ['a string that is not UTF-8', '01 02ff 00 00'],
  ['a range that ends beyond 2^53', '01 0000 02 00 feffffffffffff1f 02 00 00000000'],
  ['a range cut off before its CRC', '01 0000 02 00 00 00 8000 0000'],
])('%s, with a right CRC', (_name, hex) => {
  expect(() => decodeProvenance(sealed(hex))).toThrow(expect.objectContaining({ code: 'WIRE_CORRUPT' }));
});

test.each([-1, 0.5, 2 ** 53])('a count of %d cannot be encoded', (records) => {
  const range = { fileId: 'f', start: 0, end: 1, records, crc32c: 0 };
  expect(() => encodeProvenance({ ...SAMPLE, ranges: [range] })).toThrow(RangeError);
});
