import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Framing, LINES, type MultilineFraming } from '../../../shared/framing/framing.ts';
import type { OversizePolicy } from '../../../shared/wire/record-sink.ts';
import { carryFile, type CarryOptions } from './carry-file.ts';
import { expectedRecords } from './reference.ts';

const MULTILINE: MultilineFraming = { ...LINES, type: 'multiline', matches: 'start', pattern: '^>' };

const how = fc.record({
  maxRecordBytes: fc.integer({ min: 4, max: 60 }),
  oversize: fc.constantFrom<OversizePolicy>('split', 'truncate', 'drop'),
  maxBatchBytes: fc.integer({ min: 150, max: 1_200 }),
  chunkBytes: fc.integer({ min: 1, max: 3_000 }),
  writes: fc.array(fc.integer({ min: 1, max: 2_500 }), { maxLength: 8 }),
  crashes: fc.array(fc.boolean(), { maxLength: 30 }),
});

/** Carries `content`: what arrives, and what has to by the definition. No byte is left out or taken twice. */
async function carry(content: Buffer, framing: Framing, options: Omit<CarryOptions, 'framing'>) {
  const { values, oversized, ranges } = await carryFile(content, { ...options, framing });
  const expected = expectedRecords(content, framing, options);
  // A crash forgets that a record, whose beginning was cut off, has been counted.
  const isCounted = !options.crashes.includes(true);
  const shown = (records: Buffer[]) => records.map((record) => record.toString('latin1'));
  return {
    found: { values: shown(values), oversized: isCounted ? oversized : 0, ...tiles(ranges) },
    expected: {
      values: shown(expected.values),
      oversized: isCounted ? expected.oversized : 0,
      gaps: [],
      end: content.length,
    },
  };
}

function tiles(ranges: [start: number, end: number][]) {
  const gaps = ranges.filter(([start], i) => start !== (ranges[i - 1]?.[1] ?? 0));
  return { gaps, end: ranges.at(-1)?.[1] ?? 0 };
}

const runs = { numRuns: 150 };

/** Text of these words, each alone or a few times, and now and then so often that it is beyond every limit. */
const text = (...words: string[]) => {
  const word = fc.constantFrom(...words);
  const few = fc.tuple(word, fc.integer({ min: 1, max: 3 }));
  const many = fc.tuple(word, fc.integer({ min: 20, max: 1_300 }));
  return fc
    .array(fc.oneof({ arbitrary: few, weight: 12 }, { arbitrary: many, weight: 1 }), { maxLength: 40 })
    .map((runs) => runs.map(([word, times]) => word.repeat(times)).join(''));
};

describe('whatever the bytes, the chunks, the limits and the moments at which the agent dies', () => {
  test.each([
    ['\n', false],
    ['\n', true],
    ['\r\n', false],
    ['\r\n', true],
    ['\0', false],
    ['\n\n', true],
    ['ab-ab', false],
    ['€', false],
  ])('lines that end with %j, carriage returns taken off: %s', async (delimiter, stripCarriageReturn) => {
    const framing: Framing = { ...LINES, delimiter, stripCarriageReturn };
    const content = text(delimiter, delimiter, '\r', '\n', 'a', 'ab-', '€').map((t) =>
      Buffer.from(t, 'utf8'),
    );
    await fc.assert(
      fc.asyncProperty(content, how, async (bytes, options) => {
        const { found, expected } = await carry(bytes, framing, options);
        expect(found).toEqual(expected);
      }),
      runs,
    );
  });

  test.each(['utf-16le', 'utf-16be', 'utf-16'] as const)('lines in %s', async (encoding) => {
    const units = text(
      '\n',
      '\n',
      '\r',
      'a',
      '\u0a0a',
      '\u000a\u0d00',
      'é',
      '\u{1f600}',
      '\ud83d',
      '\ude00',
      '\u0a00',
      '\u000d',
    );
    const file = fc
      .record({
        units,
        mark: fc.boolean(),
        isBig: fc.boolean(),
        half: fc.boolean(),
        stripCarriageReturn: fc.boolean(),
      })
      .map(({ units, mark, isBig, half, stripCarriageReturn }) => {
        const big = encoding === 'utf-16be' || (encoding === 'utf-16' && isBig && mark);
        const bytes = Buffer.from(`${mark ? '\ufeff' : ''}${units}`, 'utf16le');
        if (big) bytes.swap16();
        const content = half ? Buffer.concat([bytes, Buffer.from([0x61])]) : bytes;
        return { content, framing: { ...LINES, encoding, stripCarriageReturn } };
      });
    await fc.assert(
      fc.asyncProperty(file, how, async ({ content, framing }, options) => {
        const { found, expected } = await carry(content, framing, options);
        expect(found).toEqual(expected);
      }),
      runs,
    );
  });

  test.each([
    ['start', '^>'],
    ['continue', '^[ \\t]'],
    ['start', '^>+$'],
    ['continue', '\\\\$'],
  ] as const)('records of several lines, %s pattern %s', async (matches, pattern) => {
    const content = text('\n', '\n>', '\n ', '\n\t', '\r\n', '>', 'a', '\\\n', '\xff').map((t) =>
      Buffer.from(t, 'latin1'),
    );
    const framing = { ...MULTILINE, matches, pattern };
    await fc.assert(
      fc.asyncProperty(content, how, fc.boolean(), async (bytes, options, stripCarriageReturn) => {
        const { found, expected } = await carry(bytes, { ...framing, stripCarriageReturn }, options);
        expect(found).toEqual(expected);
      }),
      runs,
    );
  });

  test('records of several lines that end with carriage return and line feed', async () => {
    const content = text('\r\n', '\r\n>', '\r', '\n', '>', 'a').map((t) => Buffer.from(t));
    const framing: Framing = { ...MULTILINE, delimiter: '\r\n' };
    await fc.assert(
      fc.asyncProperty(content, how, async (bytes, options) => {
        const { found, expected } = await carry(bytes, framing, options);
        expect(found).toEqual(expected);
      }),
      runs,
    );
  });

  test('records of several lines in UTF-16 that end with carriage return and line feed', async () => {
    const content = text('\r\n', '\r\n>', '>', 'é', '\n').map((t) => Buffer.from(`\ufeff${t}`, 'utf16le'));
    const framing: Framing = { ...MULTILINE, encoding: 'utf-16', delimiter: '\r\n' };
    await fc.assert(
      fc.asyncProperty(content, how, async (bytes, options) => {
        const { found, expected } = await carry(bytes, framing, options);
        expect(found).toEqual(expected);
      }),
      runs,
    );
  });

  test.each([
    [2, 'big-endian'],
    [4, 'big-endian'],
    [4, 'little-endian'],
    [8, 'little-endian'],
  ] as const)('records with a length of %d bytes in front, %s', async (prefixSize, byteOrder) => {
    const framing: Framing = { type: 'length-prefixed', prefixSize, byteOrder, maxFrameBytes: 50_000 };
    const value = fc.oneof(
      fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
      fc.integer({ min: 0, max: 5_000 }).map((length) => Buffer.alloc(length, length)),
    );
    const content = fc.array(value, { maxLength: 20 }).map((values) =>
      Buffer.concat(
        values.flatMap((bytes) => {
          const prefix = Buffer.alloc(8);
          prefix.writeBigUInt64BE(BigInt(bytes.length));
          const short = prefix.subarray(8 - prefixSize);
          return [byteOrder === 'big-endian' ? short : Buffer.from(short).reverse(), bytes];
        }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(content, how, async (bytes, options) => {
        const { found, expected } = await carry(bytes, framing, options);
        expect(found).toEqual(expected);
      }),
      runs,
    );
  });
});
