import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pipeThrough, hasTool, unzstd } from '../../../support/command-line-tools.ts';
import { batchOf, decodeAs, jsonLines, NOON, textOf } from './decoding.ts';

const HOUR_MS = 3_600_000;

describe('format jsonl', () => {
  it('is an object for each record, its fields in a fixed order', async () => {
    const set = await batchOf(41, [
      { key: 'user-1', value: 'GET /', headers: [{ key: 'trace', value: Buffer.from('abc') }] },
      { value: 'a "quoted" \\ text\twith é, 😀, \u0000 and \u001f' },
    ]);
    const { frames } = await decodeAs({ format: 'jsonl' }, [set]);
    expect(textOf(frames[0]!).split('\n')).toEqual([
      `{"topic":"logs","partition":3,"offset":41,"timestamp":${NOON},"key":"user-1",` +
        '"headers":[{"key":"trace","value":"abc"}],"value":"GET /"}',
      `{"topic":"logs","partition":3,"offset":42,"timestamp":${NOON},"key":null,"headers":[],` +
        '"value":"a \\"quoted\\" \\\\ text\\twith é, 😀, \\u0000 and \\u001f"}',
      '',
    ]);
    expect(frames[0]).toMatchObject({ records: 2, firstOffset: 41, lastOffset: 42 });
  });

  it('tells null from empty, no timestamp from any, and keeps two headers of one name', async () => {
    const set = await batchOf(0, [
      {
        key: '',
        value: null,
        timestampMs: -1,
        headers: [
          { key: 'h', value: null },
          { key: 'h', value: Buffer.alloc(0) },
        ],
      },
    ]);
    const { frames } = await decodeAs({ format: 'jsonl' }, [set]);
    expect(jsonLines(textOf(frames[0]!))).toEqual([
      {
        topic: 'logs',
        partition: 3,
        offset: 0,
        timestamp: null,
        key: '',
        headers: [
          { key: 'h', value: null },
          { key: 'h', value: '' },
        ],
        value: null,
      },
    ]);
  });

  it('has base64 under a name of its own for what is not UTF-8', async () => {
    const overlong = Buffer.from([0xc0, 0x80]);
    const set = await batchOf(0, [
      {
        key: Buffer.from([0xff]),
        value: Buffer.from([0x61, 0x80]),
        headers: [{ key: 'h', value: overlong }],
      },
      { value: Buffer.from([0xed, 0xa0, 0x80]) }, // half of a surrogate pair
      { value: '\u{fffd}' }, // what damage is often shown as, but here by right
    ]);
    const { frames } = await decodeAs({ format: 'jsonl' }, [set]);
    expect(jsonLines(textOf(frames[0]!))).toMatchObject([
      { keyBase64: '/w==', valueBase64: 'YYA=', headers: [{ key: 'h', valueBase64: 'wIA=' }] },
      { valueBase64: '7aCA' },
      { value: '\u{fffd}' },
    ]);
    expect(textOf(frames[0]!)).not.toContain('"key":"","');
  });

  it.each([
    ['zstd', unzstd],
    ['gzip', (bytes: Buffer) => gunzipSync(bytes)],
    ['lz4', (bytes: Buffer) => pipeThrough('lz4', ['-dc'], bytes)],
  ] as const)('is one text of many %s frames to the tool of that name', async (codec, read) => {
    if (codec === 'lz4' && !hasTool('lz4')) return;
    const first = await decodeAs({ format: 'jsonl', codec }, [await batchOf(0, [{ value: 'one' }])]);
    const second = await decodeAs({ format: 'jsonl', codec }, [await batchOf(1, [{ value: 'two' }])], {
      from: 1,
    });
    const object = Buffer.concat([...first.frames, ...second.frames].map(({ bytes }) => bytes));
    expect(jsonLines((await read(object)).toString())).toMatchObject([
      { offset: 0, value: 'one' },
      { offset: 1, value: 'two' },
    ]);
  });

  it('takes nothing from a batch whose last record is damaged, not even what it has read before', async () => {
    const damaged = Buffer.from(await batchOf(0, [{ value: 'first' }, { value: 'second' }], 'none'));
    damaged.writeUInt8(0x7f, damaged.length - 1); // the last record claims headers that are not there
    const { crc32c } = await import('@node-rs/crc32');
    damaged.writeUInt32BE(crc32c(damaged.subarray(21)), 17);
    const { frames, undecodable } = await decodeAs({ format: 'jsonl' }, [
      damaged,
      await batchOf(2, [{ value: 'good' }]),
    ]);
    expect(frames.flatMap((frame) => jsonLines(textOf(frame)))).toMatchObject([{ offset: 2, value: 'good' }]);
    expect(undecodable).toMatchObject([{ baseOffset: 0, records: 2, reason: 'WIRE_CORRUPT' }]);
  });

  it('goes to the quarantine when it is too large to become text, and the rest goes on', async () => {
    const huge = Buffer.alloc(64 * 1024 * 1024 + 1, 0x61);
    const { frames, refused } = await decodeAs({ format: 'jsonl', codec: 'zstd' }, [
      await batchOf(0, [{ value: 'before' }, { value: huge }, { value: 'after' }], 'zstd'),
    ]);
    expect(frames[0]).toMatchObject({ records: 2, firstOffset: 0, lastOffset: 2 });
    expect(refused).toMatchObject({ records: 1, byReason: { RECORD_TOO_LARGE: 1 }, firstOffset: 1 });
  });

  it('says of any record what was produced, in its hour', async () => {
    const bytes = fc.oneof(
      fc.constant(null),
      fc.uint8Array({ maxLength: 30 }),
      fc.string({ unit: 'binary', maxLength: 30 }).map((text) => Buffer.from(text)),
    );
    const record = fc.record({
      key: bytes,
      value: bytes,
      timestampMs: fc.integer({ min: NOON - 3 * HOUR_MS, max: NOON + 3 * HOUR_MS }),
      headers: fc.array(fc.record({ key: fc.string({ maxLength: 5 }), value: bytes }), { maxLength: 3 }),
    });
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const shown = (name: string, given: Uint8Array | null): Record<string, unknown> => {
      if (given === null) return { [name]: null };
      try {
        return { [name]: decoder.decode(given) };
      } catch {
        return { [`${name}Base64`]: Buffer.from(given).toString('base64') };
      }
    };
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (records) => {
        const { frames } = await decodeAs({ format: 'jsonl' }, [await batchOf(7, records)]);
        const hours = new Map<string, unknown[]>();
        records.forEach(({ key, value, timestampMs, headers }, i) => {
          const hour = `${new Date(timestampMs).toISOString().slice(0, 13)}:00`;
          const line = {
            topic: 'logs',
            partition: 3,
            offset: 7 + i,
            timestamp: timestampMs,
            ...shown('key', key),
            headers: headers.map((header) => ({ key: header.key, ...shown('value', header.value) })),
            ...shown('value', value),
          };
          hours.set(hour, [...(hours.get(hour) ?? []), line]);
        });
        expect(new Map(frames.map((frame) => [frame.bucket.label, jsonLines(textOf(frame))]))).toEqual(hours);
      }),
      { numRuns: 200 },
    );
  });
});
