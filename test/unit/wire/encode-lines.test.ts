import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRecords } from '../../../shared/wire/decode-records.ts';
import {
  type LineBatchOptions,
  type LineSegment,
  encodeLineBatch,
} from '../../../shared/wire/encode-lines.ts';
import { decodeProvenance } from '../../../shared/wire/provenance.ts';
import { fromHex } from '../codec/hex.ts';

const LIMIT = 64 * 1024 * 1024;
const CODECS = ['none', 'gzip', 'lz4', 'zstd'] as const;
const OPTIONS: LineBatchOptions = {
  codec: 'none',
  timestampMs: 1_700_000_000_000,
  host: 'h',
  pipeline: 'p',
  maxRecordBytes: 1024 * 1024,
  oversize: 'truncate',
};

function segment(text: string | Buffer, changes: Partial<LineSegment> = {}): LineSegment {
  const bytes = Buffer.from(text);
  return { bytes, start: 0, end: bytes.length, terminated: true, fileId: 'f', fileOffset: 0, ...changes };
}

/** The values of the batch's records as text, byte for byte; null where a value is null. */
async function valuesOf(bytes: Uint8Array): Promise<(string | null)[]> {
  const { records } = await decodeRecords(bytes, { maxOutputBytes: LIMIT });
  return records.map(({ value }) => (value === null ? null : Buffer.from(value).toString('latin1')));
}

async function valuesOfLines(segments: LineSegment[], changes: Partial<LineBatchOptions> = {}) {
  return valuesOf((await encodeLineBatch(segments, { ...OPTIONS, ...changes })).bytes);
}

test('a batch of three lines, written out by hand from the protocol guide', async () => {
  const golden = [
    '0000000000000000 0000006e ffffffff 02', // base offset, batch length, leader epoch, magic
    'cd8b516b', // CRC-32C, by a bitwise implementation of the polynomial 0x82f63b78
    '0000 00000002', // attributes, last offset delta
    '0000018bcfe56800 0000018bcfe56800', // base and maximum timestamp
    'ffffffffffffffff ffff ffffffff', // producer id, epoch, base sequence
    '00000003', // record count
    '58 00 00 00 01 0261 02', // 44 bytes (0x58 in zigzag): attributes, deltas, null key, value "a", one header
    '20 736b616c642d70726f76656e616e6365', // its key: skald-provenance
    '26 01 0268 0270 02 0266 0a 0c 06 0d1cf5b0 c9df48b5', // its value of 19 bytes, see provenance.test.ts
    '0c 00 00 02 01 00 00', // the empty line: an empty value, no header
    '10 00 00 04 01 04620d 00', // "b" and the carriage return
  ].join('');
  const batch = await encodeLineBatch([segment('a\n\nb\r\n', { fileOffset: 5 })], OPTIONS);
  expect(Buffer.from(batch.bytes).toString('hex')).toBe(fromHex(golden).toString('hex'));
  expect(batch).toMatchObject({ recordCount: 3, rawBytes: 6, oversized: { records: 0, bytes: 0 } });
  expect(batch.provenance.ranges).toEqual([
    { fileId: 'f', start: 5, end: 11, records: 3, crc32c: 0x0d1cf5b0 },
  ]);
});

describe('lines', () => {
  test('a part of a larger buffer', async () => {
    const bytes = Buffer.from('not this\nthis\nand this\nnot this');
    const part = segment(bytes, { start: 9, end: 23, fileOffset: 1009 });
    const batch = await encodeLineBatch([part], OPTIONS);
    expect(await valuesOf(batch.bytes)).toEqual(['this', 'and this']);
    const whole = await encodeLineBatch([segment('this\nand this\n', { fileOffset: 1009 })], OPTIONS);
    expect(batch).toEqual(whole);
    expect(batch.provenance.ranges[0]).toMatchObject({ start: 1009, end: 1023 });
  });

  test('a last line without a newline', async () => {
    expect(await valuesOfLines([segment('one\ntwo', { terminated: false })])).toEqual(['one', 'two']);
    expect(await valuesOfLines([segment('x', { terminated: false })])).toEqual(['x']);
  });

  test('an unterminated segment that does end with a newline has no further line', async () => {
    expect(await valuesOfLines([segment('one\n', { terminated: false })])).toEqual(['one']);
  });

  test('empty lines are empty values', async () => {
    expect(await valuesOfLines([segment('\n\n\r\n\n')])).toEqual(['', '', '\r', '']);
  });

  test('NULs, invalid UTF-8 and carriage returns travel untouched', async () => {
    expect(await valuesOfLines([segment(fromHex('00ff00 0a c328 0d0d 0a'))])).toEqual([
      '\0\xff\0',
      '\xc3\x28\r\r',
    ]);
  });

  test('lines whose lengths take one, two, three and four bytes', async () => {
    const lines = [0, 1, 57, 58, 63, 64, 8183, 8184, 8191, 8192, 1_048_575, 1_048_576, 3_000_000].map((n) =>
      'x'.repeat(n),
    );
    const changes = { maxRecordBytes: 4_000_000 };
    expect(await valuesOfLines([segment(`${lines.join('\n')}\n`)], changes)).toEqual(lines);
  });

  test('more records than two bytes of offset delta count', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => String(i));
    expect(await valuesOfLines([segment(`${lines.join('\n')}\n`)], { codec: 'lz4' })).toEqual(lines);
  });

  test('ten bytes of record for each byte of input fit too', async () => {
    const { bytes, recordCount } = await encodeLineBatch([segment('\n'.repeat(500_000))], OPTIONS);
    expect(recordCount).toBe(500_000);
    expect(new Set(await valuesOf(bytes))).toEqual(new Set(['']));
  });
});

describe('lines that a step of sixteen bytes does not divide', () => {
  test('each length up to two steps, with a line break and without, behind what the batch before left', async () => {
    for (let length = 1; length <= 33; length++) {
      await encodeLineBatch([segment('\n'.repeat(200))], OPTIONS); // line feeds everywhere behind the next text
      const line = 'x'.repeat(length);
      expect(await valuesOfLines([segment(`${line}\n${line}\n`)])).toEqual([line, line]);
      expect(await valuesOfLines([segment(`${line}\n${line}`, { terminated: false })])).toEqual([line, line]);
    }
  });

  test('a line of the longest length allowed, and one more byte, anywhere among others', async () => {
    const changes = { maxRecordBytes: 17, oversize: 'drop' } as const;
    for (let before = 0; before <= 33; before++) {
      const [first, longest] = ['a'.repeat(Math.min(before, 17)), 'b'.repeat(17)];
      const text = `${first}\n${longest}\n${'c'.repeat(18)}\n${longest}\n`;
      expect(await valuesOfLines([segment(text)], changes)).toEqual([first, longest, longest]);
    }
  });
});

describe('segments', () => {
  test('several files make one batch, with a range for each', async () => {
    const segments = [
      segment('a1\na2\n', { fileId: 'a', fileOffset: 100 }),
      segment('', { fileId: 'idle', fileOffset: 7 }),
      segment('b1', { fileId: 'b', fileOffset: 2 ** 40, terminated: false }),
      segment('a3\n', { fileId: 'a', fileOffset: 106 }),
    ];
    const batch = await encodeLineBatch(segments, OPTIONS);
    const { records } = await decodeRecords(batch.bytes, { maxOutputBytes: LIMIT });
    expect(await valuesOf(batch.bytes)).toEqual(['a1', 'a2', 'b1', 'a3']);
    expect(batch.rawBytes).toBe(11);
    const ranges = batch.provenance.ranges.map(({ fileId, start, end, records }) => [
      fileId,
      start,
      end,
      records,
    ]);
    expect(ranges).toEqual([
      ['a', 100, 106, 2],
      ['idle', 7, 7, 0],
      ['b', 2 ** 40, 2 ** 40 + 2, 1],
      ['a', 106, 109, 1],
    ]);
    expect(records.map(({ headers }) => headers.length)).toEqual([1, 0, 0, 0]);
    expect(records[0]!.headers[0]!.key).toBe('skald-provenance');
    expect(decodeProvenance(records[0]!.headers[0]!.value!)).toEqual(batch.provenance);
  });

  test('a long segment between short ones', async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => `line ${i}`);
    const segments = [segment('first\n'), segment(`${lines.join('\n')}\n`), segment('last\n')];
    expect(await valuesOfLines(segments)).toEqual(['first', ...lines, 'last']);
  });

  test('a thousand files, whose provenance is larger than any record', async () => {
    const segments = Array.from({ length: 1000 }, (_, i) =>
      segment(`${i}\n`, { fileId: `8:${i}:${'f'.repeat(60)}` }),
    );
    const batch = await encodeLineBatch(segments, { ...OPTIONS, codec: 'zstd' });
    expect(await valuesOf(batch.bytes)).toEqual(segments.map((_, i) => String(i)));
    const { records } = await decodeRecords(batch.bytes, { maxOutputBytes: LIMIT });
    expect(decodeProvenance(records[0]!.headers[0]!.value!).ranges).toHaveLength(1000);
  });

  test('no segments, and segments without lines, make no batch', async () => {
    for (const segments of [[], [segment('')]]) {
      const { bytes, recordCount } = await encodeLineBatch(segments, OPTIONS);
      expect([bytes.length, recordCount]).toEqual([0, 0]);
    }
  });

  test.each([
    ['a terminated segment without a newline', segment('abc')],
    ['a start before the bytes', segment('a\n', { start: -1 })],
    ['an end behind the bytes', segment('a\n', { end: 3 })],
    ['an end before the start', segment('a\n', { start: 1, end: 0 })],
  ])('%s is a RangeError', async (_name, bad) => {
    await expect(encodeLineBatch([bad], OPTIONS)).rejects.toThrow(RangeError);
  });

  test.each([0, -1, 1.5, Number.NaN])('a limit of %d is a RangeError', async (maxRecordBytes) => {
    await expect(encodeLineBatch([segment('a\n')], { ...OPTIONS, maxRecordBytes })).rejects.toThrow(
      RangeError,
    );
  });
});

describe('lines over the limit', () => {
  const text = 'short\n123456789\n12345\n123456\n';
  const limits = { maxRecordBytes: 5 };

  test.each([
    ['truncate', ['short', '12345', '12345', '12345'], { records: 2, bytes: 5 }],
    ['split', ['short', '12345', '6789', '12345', '12345', '6'], { records: 2, bytes: 0 }],
    ['drop', ['short', '12345'], { records: 2, bytes: 15 }],
  ] as const)('%s', async (oversize, values, oversized) => {
    const batch = await encodeLineBatch([segment(text)], { ...OPTIONS, ...limits, oversize });
    expect(await valuesOf(batch.bytes)).toEqual(values);
    expect(batch.oversized).toEqual(oversized);
    expect(batch.rawBytes).toBe(text.length);
    expect(batch.provenance.ranges[0]).toMatchObject({ end: text.length, records: values.length });
  });

  test('the first line is too long, and the last, which has no newline', async () => {
    const long = segment('123456\nok\n1234567', { terminated: false });
    expect(await valuesOfLines([long], { ...limits, oversize: 'drop' })).toEqual(['ok']);
    expect(await valuesOfLines([long], { ...limits, oversize: 'split' })).toEqual([
      '12345',
      '6',
      'ok',
      '12345',
      '67',
    ]);
  });

  test('a batch in which every line is dropped has no bytes, and still says what it read', async () => {
    const batch = await encodeLineBatch([segment('123456\n')], { ...OPTIONS, ...limits, oversize: 'drop' });
    expect(batch).toMatchObject({ recordCount: 0, rawBytes: 7, oversized: { records: 1, bytes: 6 } });
    expect(batch.bytes).toHaveLength(0);
    expect(batch.provenance.ranges[0]).toMatchObject({ start: 0, end: 7, records: 0 });
  });
});

describe.each(CODECS)('codec %s', (codec) => {
  const line = fc
    .uint8Array({ maxLength: 300, size: 'max' })
    .map((bytes) => bytes.filter((byte) => byte !== 0x0a));
  const file = fc.record({ lines: fc.array(line, { maxLength: 50, size: 'max' }), isCutOff: fc.boolean() });

  test('any lines of any files come back, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 5 }), async (files) => {
        const segments = files.map(({ lines, isCutOff }, i) => {
          const text = Buffer.concat(lines.flatMap((bytes) => [bytes, Buffer.from('\n')]));
          const last = lines.at(-1)?.length ?? 0;
          // Only a last line that is not empty can lack its newline.
          const terminated = !isCutOff || last === 0;
          return segment(terminated ? text : text.subarray(0, -1), { terminated, fileId: String(i) });
        });
        const expected = files.flatMap(({ lines }) =>
          lines.map((bytes) => Buffer.from(bytes).toString('latin1')),
        );
        const batch = await encodeLineBatch(segments, { ...OPTIONS, codec });
        expect(batch.recordCount).toBe(expected.length);
        expect(batch.recordCount === 0 ? [] : await valuesOf(batch.bytes)).toEqual(expected);
      }),
    );
  });

  test('the same segments and options give the same bytes, alone or side by side, whatever was encoded before', async () => {
    const segments = [segment('same\n'.repeat(5000)), segment('and\nmore\n')];
    const alone = await encodeLineBatch(segments, { ...OPTIONS, codec });
    const others = ['x\n'.repeat(100_000), 'y\n'.repeat(9)].map((text) =>
      encodeLineBatch([segment(text)], OPTIONS),
    );
    const sideBySide = [1, 2, 3].map(() => encodeLineBatch(segments, { ...OPTIONS, codec }));
    await Promise.all(others);
    for (const again of await Promise.all(sideBySide)) expect(again).toEqual(alone);
  });

  test('the buffers of the segments may be written to as soon as the call has returned', async () => {
    const source = segment('one\ntwo\n');
    const pending = encodeLineBatch([source], { ...OPTIONS, codec });
    source.bytes.fill(0);
    expect(await valuesOf((await pending).bytes)).toEqual(['one', 'two']);
  });

  test('the batch can be transferred to another thread', async () => {
    const { bytes } = await encodeLineBatch([segment('one\n')], { ...OPTIONS, codec });
    expect(bytes.buffer.byteLength).toBe(bytes.length);
    const { buffer } = bytes;
    structuredClone(bytes, { transfer: buffer instanceof ArrayBuffer ? [buffer] : [] });
    expect(bytes.length).toBe(0);
  });

  test('the batch goes into the room that is given for it when it fits, and is the same', async () => {
    const segments = [segment('some lines\nof text\n'.repeat(100))];
    const { bytes } = await encodeLineBatch(segments, { ...OPTIONS, codec });
    const memory = Buffer.from(new SharedArrayBuffer(bytes.length + 64)).fill(0xee);
    const fits = memory.subarray(32, 32 + bytes.length);
    const inside = await encodeLineBatch(segments, { ...OPTIONS, codec }, fits);
    expect([inside.bytes.buffer, inside.bytes.byteOffset]).toEqual([memory.buffer, 32]);
    expect(Buffer.compare(inside.bytes, bytes)).toBe(0);
    const around = [...memory.subarray(0, 32), ...memory.subarray(32 + bytes.length)];
    expect(new Set(around)).toEqual(new Set([0xee]));
    const tooSmall = await encodeLineBatch(segments, { ...OPTIONS, codec }, fits.subarray(1).fill(0xee));
    expect(Buffer.compare(tooSmall.bytes, bytes)).toBe(0);
    expect(new Set(fits.subarray(1))).toEqual(new Set([0xee]));
  });
});
