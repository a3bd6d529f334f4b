import { describe, expect, test } from 'vitest';
import { packedBytes, packedLayoutSchema, packLayout } from '../../../shared/config/intent-layout.ts';
import { parseTransporterConfig } from '../../../shared/config/load-transporter-config.ts';
import { messagesOf } from './messages-of.ts';

const MACHINE = { hostname: 'worker', cores: 2 };

/** The file of a transporter whose `objects`, or whose one topic, has these keys. */
function parse(objects: string, topic = '') {
  const text = `cluster: {brokers: [kafka:9092]}
store: {type: s3, bucket: archive}
topics:
  - {topic: a${topic === '' ? '' : `, ${topic}`}}
objects: {${objects}}
`;
  return parseTransporterConfig('/etc/skald/transporter.yaml', text, {}, MACHINE);
}

const problems = (objects: string, topic = ''): string => messagesOf(() => parse(objects, topic)).join('\n');

describe('the time of records', () => {
  test('is read as ISO 8601 in UTC where the file does not say otherwise, and the timestamp stands in', () => {
    expect(parse('time: {type: json, field: a.b}').topics[0]!.time).toEqual({
      type: 'json',
      field: 'a.b',
      format: 'iso',
      timeZone: 'UTC',
      otherwise: 'timestamp',
    });
  });

  test('can be another one in each topic', () => {
    const config = parse('time: {type: json, field: at}', 'time: {type: timestamp}');
    expect(config.topics[0]!.time).toEqual({ type: 'timestamp' });
  });

  test.each([
    ['no field', 'time: {type: json}', 'objects.time.field: is missing'],
    ['no type', 'time: {field: at}', 'objects.time'],
    ['no group', 'time: {type: pattern, pattern: "at .*"}', 'must have one group'],
    [
      'two groups',
      'time: {type: pattern, pattern: "(a)(b)"}',
      'must have one group (…) around the time, not 2',
    ],
    ['no expression', 'time: {type: pattern, pattern: "("}', 'must be a regular expression'],
    [
      'a pattern of no day',
      'time: {type: json, field: at, format: "HH:mm"}',
      'objects.time.format: lacks the year',
    ],
    ['an unknown letter', 'time: {type: json, field: at, format: yyyy-MM-ddTHH}', 'unix-ms'],
    [
      'an unknown zone',
      'time: {type: json, field: at, timeZone: Mars/Base}',
      'objects.time.timeZone: must be UTC',
    ],
    ['an unknown policy', 'time: {type: json, field: at, otherwise: drop}', 'one of timestamp, quarantine'],
    [
      'a key of another type',
      'time: {type: json, field: at, pattern: "(x)"}',
      'objects.time.pattern: is not a setting',
    ],
  ])('is refused with %s', (_, objects, problem) => {
    expect(problems(objects)).toContain(problem);
  });
});

describe('formats', () => {
  test('columns are of the topics that are Parquet', () => {
    const config = parse('format: parquet, columns: [{name: status, type: int32}]', 'format: jsonl');
    expect(config.topics[0]).toMatchObject({ format: 'jsonl', columns: [] });
  });

  test.each([
    ['an unknown one', 'format: csv', '', 'objects.format: must be one of lines, jsonl, parquet'],
    [
      'columns of lines',
      'columns: [{name: a, type: string}]',
      '',
      'objects.columns: are only for format: parquet',
    ],
    [
      'columns of a topic of lines',
      'format: parquet',
      'format: lines, columns: [{name: a, type: string}]',
      'topics[0].columns: are only for format: parquet',
    ],
    [
      'lz4 in Parquet',
      'format: parquet, codec: lz4',
      '',
      'objects.codec: lz4 does not go with format parquet',
    ],
    ['lz4 in the Parquet of a topic', 'codec: lz4', 'format: parquet', 'topics[0].format: lz4 does not go'],
    [
      'a list as a type',
      'format: parquet, columns: [{name: a, type: list}]',
      '',
      'columns[0].type: must be one of string',
    ],
    [
      'too many digits',
      'format: parquet, columns: [{name: a, type: "decimal(19,2)"}]',
      '',
      'p of at most 18',
    ],
    [
      'more fraction than digits',
      'format: parquet, columns: [{name: a, type: "decimal(2,3)"}]',
      '',
      'more digits behind',
    ],
    [
      'a column of the envelope',
      'format: parquet, columns: [{name: Offset, type: string}]',
      '',
      'another column',
    ],
    [
      'a column twice',
      'format: parquet, columns: [{name: a, type: string}, {name: A, type: string}]',
      '',
      'columns[1].name: is the name of another column',
    ],
    ['a dot in a name', 'format: parquet, columns: [{name: a.b, type: string}]', '', 'letters, digits and _'],
    [
      'a format of no time',
      'format: parquet, columns: [{name: a, type: string, format: iso}]',
      '',
      'type timestamp',
    ],
  ])('%s is refused', (_, objects, topic, problem) => {
    expect(problems(objects, topic)).toContain(problem);
  });
});

describe('a layout in the metadata of an offset', () => {
  const column = (i: number): string =>
    `{name: column_${i}, type: string, field: payload.request.field_${i}}`;
  const columns = (count: number): string =>
    `format: parquet, columns: [${Array.from({ length: count }, (_, i) => column(i)).join(',\n  ')}]`;

  test('has room for dozens of columns, and says at once when there are too many', () => {
    expect(parse(columns(60)).topics[0]!.columns).toHaveLength(60);
    expect(problems(columns(100))).toMatch(/topics\[0\]\.topic: its layout takes \d+ bytes of the 3776/);
  });

  test('comes back as it was', () => {
    const {
      topic: _topic,
      chunk: _chunk,
      success: _success,
      ...layout
    } = parse(
      `format: parquet, time: {type: pattern, pattern: '"(.*)"', format: 'dd/MMM/yyyy', otherwise: quarantine}, columns: [
        {name: a, type: string}, {name: b, type: int64, field: x.y}, {name: c, type: timestamp, timeZone: Europe/Berlin},
        {name: d, type: timestamp, field: t, format: unix-ms}]`,
    ).topics[0]!;
    const packed = JSON.stringify(packLayout(layout));
    expect(packedLayoutSchema.parse(JSON.parse(packed))).toEqual(layout);
    expect(packedBytes(layout)).toBe(Buffer.byteLength(packed));
  });

  test('is read from the version before formats had columns, and times were a setting', () => {
    const old = {
      prefix: 'logs',
      template: '{prefix}/{topic}/dt={yyyy}-{mm}-{dd}/hr={hh}/{partition}-{firstOffset}.{ext}',
      bucket: 'hour',
      timeZone: 'UTC',
      format: 'lines',
      codec: 'zstd',
      level: 3,
    };
    expect(packedLayoutSchema.parse(old)).toEqual({ ...old, time: { type: 'timestamp' }, columns: [] });
    expect(packLayout(packedLayoutSchema.parse(old))).toEqual(old);
  });

  test.each([
    ['a column of six values', [['a', 'string', null, null, null, 'x']]],
    ['a column without a type', [['a']]],
    ['a column of an unknown type', [['a', 'list']]],
    ['columns that are no list', 'a'],
  ])('is not read with %s, which only a later version can mean', (_, columns) => {
    expect(packedLayoutSchema.safeParse({ format: 'parquet', columns }).success).toBe(false);
  });
});
