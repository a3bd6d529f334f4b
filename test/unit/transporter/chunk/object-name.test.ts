import { describe, expect, it } from 'vitest';
import type { Layout } from '../../../../transporter/chunk/layout.ts';
import { contentType, objectName, quarantineName } from '../../../../transporter/chunk/object-name.ts';

const layout: Layout = {
  prefix: 'raw/logs',
  template: '{prefix}/{topic}/dt={yyyy}-{mm}-{dd}/hr={hh}/{partition}-{firstOffset}.{ext}',
  bucket: 'hour',
  timeZone: 'UTC',
  time: { type: 'timestamp' },
  format: 'lines',
  columns: [],
  codec: 'zstd',
  level: 3,
};
const place = {
  topic: 'web.access',
  partition: 7,
  bucketLabel: '2026-07-31T23:00',
  firstOffset: 1234567890123,
};

describe('objectName', () => {
  it('fills in the template of the design', () => {
    expect(objectName(layout, place)).toBe('raw/logs/web.access/dt=2026-07-31/hr=23/7-1234567890123.log.zst');
  });

  it('fills in minutes and leaves other text alone', () => {
    const template = '{topic}/{yyyy}{mm}{dd}T{hh}{mi}/part-{partition}-{firstOffset}.{ext}';
    expect(objectName({ ...layout, template }, { ...place, bucketLabel: '2026-07-31T23:59' })).toBe(
      'web.access/20260731T2359/part-7-1234567890123.log.zst',
    );
  });

  it.each([
    ['zstd', '.log.zst', 'application/zstd'],
    ['gzip', '.log.gz', 'application/gzip'],
    ['lz4', '.log.lz4', 'application/octet-stream'],
    ['none', '.log', 'text/plain'],
  ] as const)('says with %s what is in it', (codec, ending, type) => {
    expect(objectName({ ...layout, codec }, place).endsWith(`7-1234567890123${ending}`)).toBe(true);
    expect(contentType({ ...layout, codec })).toBe(type);
  });
});

describe('the name of an object', () => {
  it.each([
    ['jsonl', 'zstd', '.jsonl.zst', 'application/zstd'],
    ['jsonl', 'none', '.jsonl', 'application/jsonl'],
    ['parquet', 'zstd', '.parquet', 'application/vnd.apache.parquet'],
    ['parquet', 'none', '.parquet', 'application/vnd.apache.parquet'],
  ] as const)('says of %s with %s what is in it', (format, codec, ending, type) => {
    const other = { ...layout, format, codec };
    expect(objectName(other, place)).toBe(`raw/logs/web.access/dt=2026-07-31/hr=23/7-1234567890123${ending}`);
    expect(contentType(other)).toBe(type);
  });
});

describe('quarantineName', () => {
  it.each([
    ['lines', 'gzip', '.jsonl.gz'],
    ['parquet', 'zstd', '.jsonl.zst'],
    ['jsonl', 'none', '.jsonl'],
  ] as const)(
    'is outside of every topic, of JSON lines whatever the format is: %s, %s',
    (format, codec, ending) => {
      const place = { topic: 'web.access', partition: 7, firstOffset: 42 };
      expect(quarantineName({ ...layout, format, codec }, place)).toBe(
        `raw/logs/quarantine/web.access/7-42${ending}`,
      );
    },
  );
});
