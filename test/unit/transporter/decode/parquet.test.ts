import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColumnConfig } from '../../../../shared/config/column-config.ts';
import { parquetFile } from '../../../../transporter/decode/parquet-file.ts';
import { queryParquet } from '../../../support/read-parquet.ts';
import { batchOf, decodeAs, jsonLines, NOON, type SomeRecord, textOf } from './decoding.ts';

async function objectOf(
  records: readonly SomeRecord[],
  columns: ColumnConfig[] = [],
  codec: 'zstd' | 'gzip' | 'none' = 'zstd',
) {
  const layout = { format: 'parquet', columns, codec, bucket: 'day' } as const;
  const range = await decodeAs(layout, [await batchOf(10, records)]);
  return { ...range, file: Buffer.concat(parquetFile(range.frames, columns)) };
}

const allRows = (from: string): string => `select * from ${from} order by "offset"`;

describe('format parquet, as DuckDB reads it', () => {
  it.each(['zstd', 'gzip', 'none'] as const)('has the envelope as columns (%s)', async (codec) => {
    const records: SomeRecord[] = [
      { key: 'k', value: 'text é', headers: [{ key: 'h"', value: Buffer.from('v') }] },
      { key: null, value: null, timestampMs: -1 },
      { key: Buffer.from([0xff]), value: Buffer.from([0x61, 0x80]), timestampMs: NOON + 1 },
      { key: '', value: '' },
    ];
    const { file } = await objectOf(records, [], codec);
    const nothing = { key: null, key_bytes: null, headers: null, value: null, value_bytes: null };
    const place = { ...nothing, topic: 'logs', partition: 3 };
    expect(await queryParquet(file, allRows)).toEqual([
      {
        ...place,
        offset: '10',
        timestamp: '2026-07-31 12:00:00+00',
        key: 'k',
        headers: '[{"key":"h\\"","value":"v"}]',
        value: 'text é',
      },
      { ...place, offset: '11', timestamp: null },
      {
        ...place,
        offset: '12',
        timestamp: '2026-07-31 12:00:00.001+00',
        key_bytes: String.raw`\xFF`,
        value_bytes: String.raw`a\x80`,
      },
      { ...place, offset: '13', timestamp: '2026-07-31 12:00:00+00', key: '', value: '' },
    ]);
  });

  it('tells queries the types of its columns, and which rows to skip', async () => {
    const columns: ColumnConfig[] = [
      { name: 'status', type: 'int32' },
      { name: 'amount', type: 'decimal(10,2)' },
      { name: 'at', type: 'timestamp' },
    ];
    const { file } = await objectOf(
      [{ value: '{"status":200,"amount":1.5}' }, { value: '{"status":404}' }],
      columns,
    );
    const types = await queryParquet(file, (from) => `describe select * from ${from}`);
    expect(Object.fromEntries(types.map((row) => [row['column_name'], row['column_type']]))).toEqual({
      topic: 'VARCHAR',
      partition: 'INTEGER',
      offset: 'BIGINT',
      timestamp: 'TIMESTAMP WITH TIME ZONE',
      key: 'VARCHAR',
      key_bytes: 'BLOB',
      headers: 'VARCHAR',
      value: 'VARCHAR',
      value_bytes: 'BLOB',
      status: 'INTEGER',
      amount: 'DECIMAL(10,2)',
      at: 'TIMESTAMP WITH TIME ZONE',
    });
    const facts = await queryParquet(
      file,
      (
        from,
      ) => `select path_in_schema as name, stats_min_value as min, stats_max_value as max, stats_null_count as nulls
        from parquet_metadata(${from}) where path_in_schema in ('offset', 'status', 'amount', 'at')`,
    );
    expect(facts).toEqual([
      { name: 'offset', min: '10', max: '11', nulls: '0' },
      { name: 'status', min: '200', max: '404', nulls: '0' },
      { name: 'amount', min: '1.50', max: '1.50', nulls: '1' },
      { name: 'at', min: null, max: null, nulls: '2' },
    ]);
  });

  const FITTING: [type: string, json: string, shown: unknown, more?: Partial<ColumnConfig>][] = [
    ['string', '"é"', 'é'],
    ['string', '""', ''],
    ['int32', '-2147483648', -2147483648],
    ['int32', '2147483647', 2147483647],
    ['int64', '9007199254740993', '9007199254740993'], // 2^53 + 1, which no double is
    ['int64', '-9223372036854775808', '-9223372036854775808'],
    ['int64', '"9223372036854775807"', '9223372036854775807'],
    ['int64', '-1', '-1'],
    ['float', '1.5', 1.5],
    ['double', '0.1', 0.1],
    ['double', '-1e300', -1e300],
    ['boolean', 'true', true],
    ['boolean', 'false', false],
    ['date', '"2024-02-29"', '2024-02-29'],
    ['date', '"1969-12-31"', '1969-12-31'],
    ['timestamp', '"2026-07-31T14:00:00.123456+02:00"', '2026-07-31 12:00:00.123456+00'],
    ['timestamp', '"1969-07-20T20:17:40Z"', '1969-07-20 20:17:40+00'],
    ['timestamp', '1785499200', '2026-07-31 12:00:00+00', { format: 'unix-s' }],
    [
      'timestamp',
      '"31/Jul/2026:14:00:00"',
      '2026-07-31 12:00:00+00',
      { format: 'dd/MMM/yyyy:HH:mm:ss', timeZone: 'Europe/Berlin' },
    ],
    ['decimal(4,2)', '12.34', '12.34'],
    ['decimal(4,2)', '-0.5', '-0.50'],
    ['decimal(4,2)', '"12.340"', '12.34'],
    ['decimal(18,9)', '123456789.123456789', '123456789.123456789'], // more digits than a double has
    ['decimal(18,0)', '999999999999999999', '999999999999999999'],
    ['decimal(1,1)', '0', '0.0'],
  ];

  it('picks columns of every type out of JSON values', async () => {
    const columns = FITTING.map(([type, , , more], i) => ({ name: `c${i}`, type, field: `f.${i}`, ...more }));
    const fields = FITTING.map(([, json], i) => `"${i}":${json}`).join(',');
    const { file, refused } = await objectOf([{ value: `{"f":{${fields}}}` }], columns);
    expect(refused).toBeUndefined();
    const [row] = await queryParquet(file, allRows);
    expect(columns.map(({ name, type }) => [name, type, row?.[name]])).toEqual(
      FITTING.map(([type, , shown], i) => [`c${i}`, type, shown]),
    );
  });

  it.each([
    ['string', '5'],
    ['string', '{}'],
    ['string', '"\\ud800"'],
    ['int32', '2147483648'],
    ['int32', '1.5'],
    ['int32', '"5"'],
    ['int64', '9223372036854775808'],
    ['int64', '1.5'],
    ['int64', '"1e3"'],
    ['float', '1e39'],
    ['double', '"1.5"'],
    ['double', '1e999'],
    ['boolean', '1'],
    ['boolean', '"true"'],
    ['date', '"2026-02-29"'],
    ['date', '"31.07.2026"'],
    ['timestamp', '"soon"'],
    ['timestamp', '1785499200'],
    ['decimal(4,2)', '123.4'],
    ['decimal(4,2)', '0.125'],
    ['decimal(4,2)', '"12,34"'],
    ['decimal(4,2)', 'true'],
    ['decimal(18,9)', '123456789.1234567891'],
  ])('sends a record to the quarantine in which %s would be %s, and keeps the others', async (type, json) => {
    const columns = [{ name: 'c', type }];
    const records = [{ value: '{"c":null}' }, { value: `{"c":${json}}` }, { value: '{}' }, { value: null }];
    const { file, refused } = await objectOf(records, columns);
    expect(await queryParquet(file, (from) => `select "offset", c from ${from}`)).toEqual([
      { offset: '10', c: null },
      { offset: '12', c: null },
      { offset: '13', c: null },
    ]);
    expect(refused?.byReason).toEqual({ RECORD_FIELD_UNFIT: 1 });
    expect(jsonLines(textOf(await uncompressed(records, columns)))).toMatchObject([
      {
        offset: 11,
        message: `field c does not fit ${type}`,
        valueBase64: Buffer.from(`{"c":${json}}`).toString('base64'),
      },
    ]);
  });

  it('sends values that are no JSON objects there when it has to pick from them, and only then', async () => {
    const records = [{ value: 'text' }, { value: '[1]' }, { value: '{"c":1}' }];
    const picking = await objectOf(records, [{ name: 'c', type: 'int32' }]);
    expect(picking.refused?.byReason).toEqual({ RECORD_NOT_JSON: 2 });
    expect(picking.frames).toMatchObject([{ records: 1 }]);
    const plain = await objectOf(records);
    expect(plain).toMatchObject({ refused: undefined, frames: [{ records: 3 }] });
  });

  it('is one object of many row groups, each decoded on its own, and the same each time', async () => {
    const columns: ColumnConfig[] = [{ name: 'n', type: 'int64' }];
    const job = async (base: number) =>
      decodeAs(
        { format: 'parquet', columns, codec: 'zstd', bucket: 'day' },
        [
          await batchOf(
            base,
            Array.from({ length: 1000 }, (_, i) => ({ value: `{"n":${base + i}}` })),
          ),
        ],
        { from: base },
      );
    const frames = [...(await job(0)).frames, ...(await job(1000)).frames, ...(await job(5000)).frames];
    const file = Buffer.concat(parquetFile(frames, columns));
    expect(
      await queryParquet(
        file,
        (from) =>
          `select count(*) as rows, sum(n) as sum, count(*) filter (n <> "offset") as wrong from ${from}`,
      ),
    ).toEqual([{ rows: '3000', sum: String(1999 * 1000 + 5999 * 500 + 5000 * 500), wrong: '0' }]);
    expect(
      await queryParquet(
        file,
        (from) => `select count(distinct row_group_id) as groups from parquet_metadata(${from})`,
      ),
    ).toEqual([{ groups: '3' }]);
    const again = [...(await job(0)).frames, ...(await job(1000)).frames, ...(await job(5000)).frames];
    expect(Buffer.concat(parquetFile(again, columns)).equals(file)).toBe(true);
  });

  it('has any values and nulls in their rows', async () => {
    const row = fc.record({
      b: fc.option(fc.boolean()),
      i: fc.option(fc.maxSafeInteger()),
      d: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
      s: fc.option(fc.string({ unit: 'grapheme', maxLength: 20 })),
    });
    const columns = [
      { name: 'b', type: 'boolean' },
      { name: 'i', type: 'int64' },
      { name: 'd', type: 'double' },
      { name: 's', type: 'string' },
    ];
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 200 }), async (rows) => {
        const { file } = await objectOf(
          rows.map((fields) => ({ value: JSON.stringify(fields) })),
          columns,
        );
        const read = await queryParquet(file, (from) => `select b, i, d, s from ${from} order by "offset"`);
        const shown = rows.map(({ b, i, d, s }) => ({ b, i: i === null ? null : String(i), d, s }));
        expect(read).toEqual(JSON.parse(JSON.stringify(shown))); // JSON has no -0
      }),
      { numRuns: 30 },
    );
  });

  it('has values of many pages, and nulls between them, in their rows', async () => {
    const value = (i: number): string | null => (i % 7 === 3 ? null : `${i} ${'é'.repeat(i % 2000)}`);
    const records = Array.from({ length: 3000 }, (_, i) => ({ value: value(i) }));
    const { file } = await objectOf(records);
    const rows = await queryParquet(file, (from) => `select value from ${from} order by "offset"`);
    expect(rows.map((row) => row['value'])).toEqual(records.map((record) => record.value));
  });
});

async function uncompressed(records: readonly SomeRecord[], columns: ColumnConfig[]) {
  const { refused } = await objectOf(records, columns, 'none');
  return refused!;
}
