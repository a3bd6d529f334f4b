import { describe, expect, it } from 'vitest';
import { MAX_LAYOUT_BYTES, packedBytes, packLayout } from '../../../../shared/config/intent-layout.ts';
import { decodeIntent, encodeIntent } from '../../../../transporter/chunk/intent.ts';
import { decodeProgress } from '../../../../transporter/complete/progress.ts';
import type { Layout } from '../../../../transporter/chunk/layout.ts';

const layout: Layout = {
  prefix: 'logs',
  template: '{prefix}/{topic}/dt={yyyy}-{mm}-{dd}/hr={hh}/{partition}-{firstOffset}.{ext}',
  bucket: 'hour',
  timeZone: 'Europe/Berlin',
  time: { type: 'timestamp' },
  format: 'lines',
  columns: [],
  codec: 'zstd',
  level: 3,
};

describe('intent', () => {
  it('comes back as it was written', () => {
    const intent = { end: 1234, objectBytes: 5678, layout };
    expect(decodeIntent(encodeIntent(intent, {}), 1000)).toEqual(intent);
  });

  it('has the progress of its partition beside it', () => {
    const intent = { end: 1234, objectBytes: 5678, layout };
    const progress = {
      through: 1_785_499_200_000,
      marked: 1_785_499_000_000,
      log: 'AAECAwQFBgcICQoLDA0ODw.e7',
      epochs: [{ epoch: 7, offset: 990 }],
    };
    const text = encodeIntent(intent, progress);
    expect(decodeIntent(text, 1000)).toEqual(intent);
    expect(decodeProgress(text)).toEqual(progress);
  });

  it('is kept when the version before progress has written it', () => {
    const written = `{"skald":1,"end":9,"objectBytes":7,"layout":${JSON.stringify(packLayout(layout))}}`;
    expect(decodeIntent(written, 0)).toEqual({ end: 9, objectBytes: 7, layout });
    expect(decodeProgress(written)).toEqual({});
  });

  it('is kept when the version before leader epochs has written it', () => {
    const known = '"through":7,"marked":5,"log":"AAECAwQFBgcICQoLDA0ODw.4711"';
    const written = `{"skald":2,"end":9,"objectBytes":7,"layout":${JSON.stringify(packLayout(layout))},${known}}`;
    expect(decodeIntent(written, 0)).toEqual({ end: 9, objectBytes: 7, layout });
    expect(decodeProgress(written)).toEqual({ through: 7, marked: 5, log: 'AAECAwQFBgcICQoLDA0ODw.4711' });
  });

  it('comes back with columns and the place of the time', () => {
    const columns = [
      { name: 'status', type: 'int32', field: 'http.status' },
      { name: 'at', type: 'timestamp', format: 'unix-ms' },
    ];
    const time = {
      type: 'json',
      field: 'at',
      format: 'unix-ms',
      timeZone: 'UTC',
      otherwise: 'quarantine',
    } as const;
    const intent = {
      end: 9,
      objectBytes: 1,
      layout: { ...layout, format: 'parquet' as const, columns, time },
    };
    expect(decodeIntent(encodeIntent(intent, {}), 0)).toEqual(intent);
  });

  it('comes back without a level when its codec has none', () => {
    const intent = { end: 1, objectBytes: 0, layout: { ...layout, codec: 'lz4' as const, level: undefined } };
    expect(decodeIntent(encodeIntent(intent, {}), 0)?.layout.level).toBeUndefined();
  });

  it('fits the 4,096 bytes that brokers allow, many times over', () => {
    const text = encodeIntent(
      { end: Number.MAX_SAFE_INTEGER, objectBytes: Number.MAX_SAFE_INTEGER, layout },
      {},
    );
    expect(Buffer.byteLength(text)).toBeLessThan(512);
  });

  it('fits them with the longest layout that a configuration may have', () => {
    const room = MAX_LAYOUT_BYTES - packedBytes(layout);
    const longest = { ...layout, template: `${'x'.repeat(room)}${layout.template}` };
    const last = Number.MAX_SAFE_INTEGER;
    const progress = {
      through: 253_402_300_799_999,
      marked: 253_402_300_799_999,
      closed: 253_402_300_799_999,
      log: 'x'.repeat(40),
      epochs: Array.from({ length: 3 }, () => ({ epoch: 2 ** 31 - 1, offset: last })),
    };
    const text = encodeIntent({ end: last, objectBytes: last, layout: longest }, progress);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
    expect(decodeIntent(text, 0)?.layout).toEqual(longest);
  });

  it('refuses a layout that does not fit them, before anything is promised', () => {
    const long = { ...layout, template: `${'x'.repeat(4096)}${layout.template}` };
    expect(() => encodeIntent({ end: 1, objectBytes: 1, layout: long }, {})).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });

  it.each(['', 'checkpoint of another consumer', '{"offset":3}'])('is not in the metadata %j', (metadata) => {
    expect(decodeIntent(metadata, 0)).toBeUndefined();
  });

  it.each([
    ['of a newer version', '{"skald":4,"end":9}'],
    ['cut off', encodeIntent({ end: 9, objectBytes: 1, layout }, {}).slice(0, -1)],
    [
      'with a key that this version does not know',
      encodeIntent({ end: 9, objectBytes: 1, layout }, {}).replace('"end"', '"footer":true,"end"'),
    ],
    [
      'with a format that this version does not know',
      encodeIntent({ end: 9, objectBytes: 1, layout }, {}).replace('"lines"', '"orc"'),
    ],
    ['that ends where it starts', encodeIntent({ end: 5, objectBytes: 1, layout }, {})],
  ])('is unreadable %s: nobody may cut its range in another way', (_, metadata) => {
    expect(() => decodeIntent(metadata, 5)).toThrow(
      expect.objectContaining({ code: 'INTENT_UNREADABLE', retryable: false }),
    );
  });
});
