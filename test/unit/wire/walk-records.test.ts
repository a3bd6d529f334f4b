import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findProvenance } from '../../../shared/wire/decode-records.ts';
import { encodeProvenance } from '../../../shared/wire/provenance.ts';
import { sizeOfRecord, writeRecord } from '../../../shared/wire/record.ts';
import { type WalkedBatch, walkRecords } from '../../../shared/wire/walk-records.ts';
import { codeOf, forEachFlippedBit } from './damage.ts';
import { fromHex } from '../codec/hex.ts';

const TIME = 1_700_000_000_000;

function batchOf(recordCount: number, changes: Partial<WalkedBatch> = {}): WalkedBatch {
  return {
    baseOffset: 1000,
    lastOffsetDelta: recordCount - 1,
    baseTimestampMs: TIME,
    maxTimestampMs: TIME + 99,
    isLogAppendTime: false,
    recordCount,
    ...changes,
  };
}

/** What the visitor is called with, record by record. */
function visitsOf(section: Buffer, batch: WalkedBatch): number[][] {
  const visits: number[][] = [];
  walkRecords(section, batch, (...numbers) => visits.push(numbers));
  return visits;
}

test('positions of null, empty and other fields, by hand', () => {
  const section = fromHex(
    '0c 00 00 00 01 01 00' + // null key, null value
      '0e 00 01 02 00 0261 00' + // 1 ms earlier, empty key, value "a"
      '16 00 02 04 026b 00 02 0468 69 01', // 1 ms later, key "k", empty value, header "hi" of null
  );
  expect(visitsOf(section, batchOf(3))).toEqual([
    [1000, TIME, -1, -1, -1, -1, 6, 7],
    [1001, TIME - 1, 12, 12, 13, 14, 14, 15],
    [1002, TIME + 1, 20, 21, 22, 22, 22, 27],
  ]);
});

test('offsets with gaps, as compaction leaves them', () => {
  const section = fromHex('0c 00 00 04 01 01 00  0c 00 00 12 01 01 00');
  const batch = batchOf(2, { lastOffsetDelta: 20 });
  expect(visitsOf(section, batch).map(([offset]) => offset)).toEqual([1002, 1009]);
});

test('numbers of every length, with and without headers, one after the other', () => {
  const sizes = [0, 1, 63, 64, 8_191, 8_192, 1_048_570, 1_100_000];
  const deltas = [0, 63, 64, 8_192, 1_048_576, 2 ** 40, -1, -8_193];
  const records = sizes.flatMap((size, i) =>
    [[], [{ key: 'a', value: null }]].map((headers, j) => ({
      timestampDeltaMs: deltas[i]!,
      offsetDelta: i * 300_000 + j,
      key: i % 3 === 0 ? null : Buffer.alloc(size >> 4, 'k'),
      value: i % 5 === 4 ? null : Buffer.alloc(size, i),
      headers,
    })),
  );
  const section = Buffer.alloc(records.reduce((sum, record) => sum + sizeOfRecord(record), 0));
  let end = 0;
  for (const record of records) end = writeRecord(section, end, record);
  const batch = batchOf(records.length, { lastOffsetDelta: 8 * 300_000 });
  const part = (from: number, to: number): Buffer | null => (from < 0 ? null : section.subarray(from, to));
  const read = visitsOf(section, batch).map(([offset, time, k, kEnd, v, vEnd]) => [
    offset! - 1000,
    time! - TIME,
    part(k!, kEnd!),
    part(v!, vEnd!),
  ]);
  expect(read).toEqual(
    records.map(({ offsetDelta, timestampDeltaMs, key, value }) => [
      offsetDelta,
      timestampDeltaMs,
      key,
      value,
    ]),
  );
});

describe('sections that no producer writes', () => {
  test.each([
    ['nothing at all', '', 1, 0],
    ['one record fewer than counted', '0c 00 00 00 01 01 00', 2, 7],
    ['one record more than counted', '0c 00 00 00 01 01 00  0c 00 00 02 01 01 00', 1, 7],
    ['one byte after the last record', '0c 00 00 00 01 01 00 00', 1, 7],
    ['a record that ends before the section does', '0e 00 00 00 01 01 00', 1, 0],
    ['a record longer than what it holds', '0e 00 00 00 01 01 00 00', 1, 7],
    ['a record that says it holds the next one too', '1a 00 00 00 01 01 00  0c 00 00 02 01 01 00', 2, 7],
    ['a record shorter than what it holds', '0c 00 00 00 01 02 61 00', 1, 7],
    ['a record of length 0', '00', 1, 0],
    ['a record of negative length', '01', 1, 0],
    ['a record length of 2 GiB', 'feffffff0f 00 00 00 01 01 00', 1, 0],
    ['a record length of more than five bytes', '8c8080808000 00 00 00 01 01 00', 1, 0],
    ['a key length below -1', '0c 00 00 00 03 01 00', 1, 4],
    ['a value length below -1', '0c 00 00 00 01 03 00', 1, 5],
    ['a key that reaches out of its record', '0c 00 00 00 06 01 00  0c 00 00 02 01 01 00', 2, 4],
    ['a value that reaches out of its record', '0c 00 00 00 01 06 00  0c 00 00 02 01 01 00', 2, 5],
    ['a value of 2 GiB', '14 00 00 00 01 feffffff0f 00', 1, 5],
    ['a negative header count', '0c 00 00 00 01 01 01', 1, 6],
    ['2 billion headers', '14 00 00 00 01 01 feffffff0f', 1, 11],
    ['a header with a null key', '10 00 00 00 01 01 02 01 01', 1, 7],
    ['a header that reaches out of its record', '10 00 00 00 01 01 02 00 08', 1, 8],
    ['a header cut off after its key', '0e 00 00 00 01 01 02 00', 1, 8],
    ['a repeated offset', '0c 00 00 00 01 01 00  0c 00 00 00 01 01 00', 2, 7],
    ['an offset beyond the last', '0c 00 00 02 01 01 00', 1, 0],
    ['a negative offset delta', '0c 00 00 01 01 01 00', 1, 0],
    ['a timestamp beyond 2^53', '1c 00 feffffffffffffff7f 00 01 01 00', 1, 2],
    ['a varint that goes on into the next record', '0c 00 00 00 01 01 80  0c 00 00 02 01 01 00', 2, 6],
  ])('%s', (_name, hex, count, byte) => {
    const refusal = expect.objectContaining({ code: 'WIRE_CORRUPT', where: { byte } });
    expect(() => visitsOf(fromHex(hex), batchOf(count))).toThrow(refusal);
  });

  test('base and delta that only together leave 2^53', () => {
    const batch = batchOf(1, { baseTimestampMs: Number.MAX_SAFE_INTEGER });
    expect(() => visitsOf(fromHex('0c 00 02 00 01 01 00'), batch)).toThrow(/timestamp/);
  });

  test.each([
    ['with a header', [{ key: 'a', value: Buffer.from('b') }]],
    ['without headers', []],
  ])(
    'no flipped bit and no truncation ends in a crash or in positions outside the section, %s',
    async (_what, headers) => {
      const fields = { timestampDeltaMs: 70, key: Buffer.from('key'), value: Buffer.alloc(80, 1), headers };
      const section = Buffer.alloc(4 * sizeOfRecord({ ...fields, offsetDelta: 0 }));
      let end = 0;
      for (let offsetDelta = 0; offsetDelta < 4; offsetDelta++)
        end = writeRecord(section, end, { ...fields, offsetDelta });
      const walk = (bytes: Buffer) => () => {
        for (const [, , ...positions] of visitsOf(bytes, batchOf(4))) {
          expect(Math.min(...positions)).toBeGreaterThanOrEqual(-1);
          expect(Math.max(...positions)).toBeLessThanOrEqual(bytes.length);
        }
      };
      await forEachFlippedBit(section, 0, end, async () => {
        expect(await codeOf(walk(section))).toMatch(/accepted|WIRE_CORRUPT/);
      });
      for (let length = 0; length < end; length++) {
        expect(await codeOf(walk(section.subarray(0, length)))).toBe('WIRE_CORRUPT');
      }
    },
  );

  test('random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), fc.nat(5), async (bytes, count) => {
        const section = Buffer.from(bytes);
        expect(await codeOf(() => visitsOf(section, batchOf(count)))).toMatch(/accepted|WIRE_CORRUPT/);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('provenance among headers', () => {
  const provenance = { host: 'h', pipeline: 'p', ranges: [] };

  function sectionWith(headers: { key: string; value: Buffer | null }[]): [Buffer, number, number] {
    const record = { timestampDeltaMs: 0, offsetDelta: 0, key: null, value: null, headers };
    const section = Buffer.alloc(sizeOfRecord(record));
    writeRecord(section, 0, record);
    const [visit] = visitsOf(section, batchOf(1));
    return [section, visit![6]!, visit![7]!];
  }

  test('is found behind other headers', () => {
    const value = Buffer.from(encodeProvenance(provenance));
    const headers = [
      { key: 'trace', value: null },
      { key: 'skald-provenance', value },
    ];
    expect(findProvenance(...sectionWith(headers))).toEqual(provenance);
  });

  test('is undefined where there is none', () => {
    expect(findProvenance(...sectionWith([]))).toBeUndefined();
    expect(findProvenance(...sectionWith([{ key: 'skald-provenance', value: null }]))).toBeUndefined();
  });

  test('is refused when damaged', () => {
    const headers = [{ key: 'skald-provenance', value: Buffer.from('?') }];
    expect(() => findProvenance(...sectionWith(headers))).toThrow(
      expect.objectContaining({ code: 'WIRE_CORRUPT' }),
    );
  });
});
