/** Records written out by hand, of bytes written out by hand. */
import { describe, expect, test } from 'vitest';
import { encodeBatches } from '../../../agent/batch/encode-batches.ts';
import { type Framing, LINES } from '../../../shared/framing/framing.ts';
import { byteOrderOf } from '../../../shared/framing/utf16.ts';
import { decodeRecords } from '../../../shared/wire/decode-records.ts';
import { fromHex } from '../codec/hex.ts';

const THRIFT: Framing = {
  type: 'length-prefixed',
  prefixSize: 4,
  byteOrder: 'big-endian',
  maxFrameBytes: 100,
};

async function recordsOf(bytes: Buffer, framing: Framing, terminated = true) {
  const encoding = framing.type === 'length-prefixed' ? 'bytes' : byteOrderOf(framing.encoding, bytes);
  const place = { fileId: 'f', fileOffset: 0, skipRest: false };
  const [part] = await encodeBatches({
    segments: [{ bytes, start: 0, end: bytes.length, terminated, encoding, ...place }],
    maxBatchBytes: Infinity,
    options: {
      codec: 'none',
      timestampMs: 0,
      host: 'h',
      pipeline: 'p',
      maxRecordBytes: 50,
      oversize: 'split',
      framing,
    },
  });
  const { records } = await decodeRecords(part!.batch, { maxOutputBytes: 1 << 20 });
  const values = records.map(({ value }) => Buffer.from(value!).toString('hex'));
  return { values, replacedUnits: part!.replacedUnits };
}

const hex = (...texts: string[]) => texts.map((text) => Buffer.from(text).toString('hex'));

describe('lines', () => {
  test.each([
    ['carriage returns stay', { delimiter: '\n' }, 'a\r\n\r\nb\r\r\n', ['a\r', '\r', 'b\r\r']],
    ['one carriage return goes', { stripCarriageReturn: true }, 'a\r\n\r\nb\r\r\nc\n', ['a', '', 'b\r', 'c']],
    [
      'CR LF as the line break: alone they are bytes',
      { delimiter: '\r\n' },
      'a\nb\rc\r\n\r\n',
      ['a\nb\rc', ''],
    ],
    ['NUL', { delimiter: '\0' }, 'a\nb\0\0c\0', ['a\nb', '', 'c']],
    ['empty lines between paragraphs', { delimiter: '\n\n' }, 'a\nb\n\n\n\nc\n\n', ['a\nb', '', 'c']],
  ] as const)('%s', async (_, settings, text, records) => {
    const found = await recordsOf(Buffer.from(text), { ...LINES, ...settings });
    expect(found.values).toEqual(hex(...records));
  });

  test('a last line without a line break keeps its carriage return: nothing says that it belongs to one', async () => {
    const found = await recordsOf(Buffer.from('a\r\nb\r'), { ...LINES, stripCarriageReturn: true }, false);
    expect(found.values).toEqual(hex('a', 'b\r'));
  });
});

describe('UTF-16, the examples of RFC 2781, 5', () => {
  // "U+12345=Ra": a character of two code units, as the RFC gives it in both orders, and a line feed.
  test.each([
    ['big endian', 'utf-16be', 'd808df45003d00520061000a'],
    ['big endian by its mark', 'utf-16', 'feffd808df45003d00520061000a'],
    ['little endian by its mark', 'utf-16', 'fffe08d845df3d00520061000a00'],
    ['little endian', 'utf-16le', '08d845df3d00520061000a00'],
    ['little endian without a mark', 'utf-16', '08d845df3d00520061000a00'],
  ] as const)('%s', async (_, encoding, bytes) => {
    const found = await recordsOf(fromHex(bytes), { ...LINES, encoding });
    // U+12345 is F0 92 8D 85 in UTF-8 by the table of RFC 3629, 3.
    expect(found).toEqual({ values: ['f0928d853d5261'], replacedUnits: 0 });
  });

  test('half a pair, and half a code unit at the end, become U+FFFD: EF BF BD', async () => {
    const found = await recordsOf(fromHex('3dd8 0a00 00de 6100'), { ...LINES, encoding: 'utf-16le' }, false);
    expect(found).toEqual({ values: ['efbfbd', 'efbfbd61'], replacedUnits: 2 });
    const half = await recordsOf(fromHex('6100 0a00 62'), { ...LINES, encoding: 'utf-16le' }, false);
    expect(half).toEqual({ values: ['61', 'efbfbd'], replacedUnits: 1 });
  });

  test('bytes that look like a line feed across two characters are none', async () => {
    // U+0A41 U+4100 in big endian: 0A 41 41 00; U+4100 U+0A41: 41 00 0A 41, with 00 0A in the middle.
    const found = await recordsOf(fromHex('4100 0a41 000a'), { ...LINES, encoding: 'utf-16be' });
    expect(found.values).toEqual(hex('\u4100\u0a41'));
  });
});

describe('records of several lines', () => {
  const TEXT = 'x\n2026 a\n b\n\n2026 c\r\n d\r\n';
  const lines = { ...LINES, type: 'multiline' } as const;

  test('begin with a line that matches', async () => {
    const found = await recordsOf(Buffer.from(TEXT), { ...lines, matches: 'start', pattern: '^2026' });
    expect(found.values).toEqual(hex('x', '2026 a\n b\n', '2026 c\r\n d\r'));
  });

  test('go on with a line that matches', async () => {
    const found = await recordsOf(Buffer.from(TEXT), { ...lines, matches: 'continue', pattern: '^ ' });
    expect(found.values).toEqual(hex('x', '2026 a\n b', '', '2026 c\r\n d\r'));
  });

  test('lose the last carriage return only', async () => {
    const strip = { ...lines, stripCarriageReturn: true };
    const found = await recordsOf(Buffer.from(TEXT), { ...strip, matches: 'start', pattern: '^2026' });
    expect(found.values).toEqual(hex('x', '2026 a\n b\n', '2026 c\r\n d'));
  });

  test('the pattern sees a line without carriage return, in UTF-8, and its first 1,024 bytes', async () => {
    const long = `${'x'.repeat(1_023)}年!`;
    const text = `a\n年末\r\nb\n${long}\nc\n`;
    const byEnd = { ...lines, matches: 'start', pattern: '末$' } as const;
    expect((await recordsOf(Buffer.from('a\n年末\r\nb\n'), byEnd)).values).toEqual(hex('a', '年末\r\nb'));
    const tooFar = { ...lines, matches: 'start', pattern: '[!]' } as const;
    const found = await recordsOf(Buffer.from(text), tooFar);
    expect(Buffer.from(found.values.join(''), 'hex').toString()).toBe(text.slice(0, -1)); // one record, in pieces
  });
});

describe('records with their length in front', () => {
  test('as TFramedTransport writes them: four bytes, big endian, then the message', async () => {
    const found = await recordsOf(fromHex('00000003 616263 00000000 00000002 0a00'), THRIFT);
    expect(found.values).toEqual(['616263', '', '0a00']);
  });

  test.each([
    [2, 'big-endian', '0003 616263'],
    [2, 'little-endian', '0300 616263'],
    [4, 'little-endian', '03000000 616263'],
    [8, 'big-endian', '0000000000000003 616263'],
    [8, 'little-endian', '0300000000000000 616263'],
  ] as const)('%d bytes, %s', async (prefixSize, byteOrder, bytes) => {
    const found = await recordsOf(fromHex(bytes), { ...THRIFT, prefixSize, byteOrder });
    expect(found.values).toEqual(['616263']);
  });
});
