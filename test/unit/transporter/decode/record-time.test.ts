import { describe, expect, it } from 'vitest';
import type { TimeConfig } from '../../../../shared/config/time-config.ts';
import { batchOf, decodeAs, jsonLines, NOON, textOf } from './decoding.ts';

const APACHE: TimeConfig = {
  type: 'pattern',
  pattern: String.raw`\[([^\]]+)\]`,
  format: 'dd/MMM/yyyy:HH:mm:ss Z',
  timeZone: 'UTC',
  otherwise: 'timestamp',
};
const FIELD: TimeConfig = {
  type: 'json',
  field: 'event.time',
  format: 'iso',
  timeZone: 'Europe/Berlin',
  otherwise: 'quarantine',
};

const line = (time: string): string => `10.0.0.1 - - [${time}] "GET / HTTP/1.1" 200 5`;
const event = (time: unknown): string => JSON.stringify({ event: { time } });

async function labels(layout: Parameters<typeof decodeAs>[0], values: (string | null)[]) {
  const range = await decodeAs(layout, [
    await batchOf(
      0,
      values.map((value) => ({ value })),
    ),
  ]);
  return {
    ...range,
    labels: Object.fromEntries(range.frames.map((frame) => [frame.bucket.label, frame.records])),
  };
}

describe('the time of a record', () => {
  it.each(['lines', 'jsonl', 'parquet'] as const)(
    'is where a pattern finds it in the line (%s)',
    async (format) => {
      const found = await labels({ format, time: APACHE }, [
        line('31/Jul/2026:23:59:59 +0000'),
        line('31/Jul/2026:20:00:00 -0430'),
        line('01/Aug/2026:02:00:00 +0200'),
      ]);
      expect(found.labels).toEqual({ '2026-07-31T23:00': 1, '2026-08-01T00:00': 2 });
      expect(found.timeFallbacks).toBe(0);
    },
  );

  it('leaves the lines as they are, whichever bucket they go to', async () => {
    const [first, second, third] = [
      line('31/Jul/2026:23:00:00 +0000'),
      line('31/Jul/2026:22:00:00 +0000'),
      line('31/Jul/2026:23:30:00 +0000'),
    ];
    const { frames } = await labels({ time: APACHE }, [first, second, third]);
    expect(frames.map((frame) => [frame.bucket.label, textOf(frame)])).toEqual([
      ['2026-07-31T23:00', `${first}\n${third}\n`],
      ['2026-07-31T22:00', `${second}\n`],
    ]);
  });

  it.each(['lines', 'jsonl', 'parquet'] as const)('is a field of a JSON value (%s)', async (format) => {
    const found = await labels({ format, time: FIELD }, [
      event('2026-07-31T12:30:00Z'),
      event('2026-07-31T14:30:00'), // on the clock of Berlin
      '{"event.time":"2026-07-31T15:00:00Z"}', // a field whose very name has the point
    ]);
    expect(found.labels).toEqual({ '2026-07-31T12:00': 2, '2026-07-31T15:00': 1 });
  });

  it.each(['lines', 'jsonl', 'parquet'] as const)(
    'is the timestamp for a record without one, where that is the policy, and is counted (%s)',
    async (format) => {
      const found = await labels({ format, time: APACHE }, [
        'no time at all',
        null,
        line('31/Juli/2026:10:00:00 +0000'),
        line('31/Jul/1969:10:00:00 +0000'),
        line('31/Jul/2026:10:00:00 +0000'),
      ]);
      expect(found.labels).toEqual({ '2026-07-31T12:00': 4, '2026-07-31T10:00': 1 });
      expect(found.timeFallbacks).toBe(4);
      expect(found.refused).toBeUndefined();
    },
  );

  it.each(['lines', 'jsonl', 'parquet'] as const)(
    'or the record goes to the quarantine, and the others go on (%s)',
    async (format) => {
      const values = ['not JSON', '[]', '{}', event(5), event('2026-07-31T12:30:00Z'), null, event(null)];
      const found = await labels({ format, time: FIELD }, values);
      expect(found.labels).toEqual({ '2026-07-31T12:00': 1 });
      expect(found.frames[0]).toMatchObject({ firstOffset: 4, lastOffset: 4 });
      expect(found.refused).toMatchObject({
        records: 6,
        byReason: { RECORD_TIME_UNUSABLE: 6 },
        firstOffset: 0,
        lastOffset: 6,
      });
      const refused = jsonLines(textOf(found.refused!));
      expect(
        refused.map((line) => [Reflect.get(Object(line), 'offset'), Reflect.get(Object(line), 'message')]),
      ).toEqual([
        [0, 'the value is not a JSON object'],
        [1, 'the value is not a JSON object'],
        [2, 'there is no field event.time'],
        [3, 'field event.time is not a time of the format iso'],
        [5, 'the value is not a JSON object'],
        [6, 'field event.time is not a time of the format iso'],
      ]);
    },
  );

  it('is looked for in the first 4096 bytes of a value only', async () => {
    const time = '[31/Jul/2026:10:00:00 +0000]';
    const found = await labels({ time: APACHE }, [
      `${'x'.repeat(4096 - time.length)}${time}`,
      `${'x'.repeat(4097 - time.length)}${time}`,
    ]);
    expect(found.labels).toEqual({ '2026-07-31T10:00': 1, '2026-07-31T12:00': 1 });
  });

  it('is none before 1970, when there were no buckets', async () => {
    const found = await labels({ time: FIELD }, [
      event('1969-12-31T23:59:59Z'),
      event('1970-01-01T01:00:00'),
    ]);
    expect(found.labels).toEqual({ '1970-01-01T00:00': 1 });
    expect(jsonLines(textOf(found.refused!))).toMatchObject([
      { offset: 0, message: 'the time is before 1970' },
    ]);
  });

  it('does not come out of the prototype of an object', async () => {
    const time = { ...FIELD, field: 'constructor.name' };
    const found = await labels({ time }, ['{}']);
    expect(found.refused).toMatchObject({ records: 1 });
  });
});

describe('the quarantine of records', () => {
  it('has position, reason and the bytes, whatever they are', async () => {
    const set = await batchOf(90, [
      {
        key: Buffer.from([1, 255]),
        value: Buffer.from([0xff, 0xfe]),
        headers: [{ key: 'h', value: Buffer.from('x') }],
      },
      { key: null, value: null },
    ]);
    const { refused, frames } = await decodeAs({ time: FIELD }, [set]);
    expect(frames).toEqual([]);
    const place = { topic: 'logs', partition: 3, timestamp: NOON, reason: 'RECORD_TIME_UNUSABLE' };
    const message = 'the value is not a JSON object';
    expect(jsonLines(textOf(refused!))).toEqual([
      {
        ...place,
        offset: 90,
        message,
        keyBase64: 'Af8=',
        headers: [{ key: 'h', value: 'x' }],
        valueBase64: '//4=',
      },
      { ...place, offset: 91, message, keyBase64: null, headers: [], valueBase64: null },
    ]);
  });

  it('keeps to the offsets that it is asked for', async () => {
    const set = await batchOf(0, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
    const { refused } = await decodeAs({ time: FIELD }, [set], { from: 1, to: 2 });
    expect(refused).toMatchObject({ records: 1, firstOffset: 1, lastOffset: 1 });
  });

  it('takes nothing of a batch that turns out damaged behind a record without a time', async () => {
    const damaged = Buffer.from(await batchOf(0, [{ value: 'no time' }, { value: 'second' }], 'none'));
    damaged.writeUInt8(0x7f, damaged.length - 1);
    const { crc32c } = await import('@node-rs/crc32');
    damaged.writeUInt32BE(crc32c(damaged.subarray(21)), 17);
    const range = await decodeAs({ time: FIELD }, [damaged]);
    expect(range).toMatchObject({ frames: [], undecodable: [{ baseOffset: 0 }] });
    expect(range.refused).toMatchObject({ records: 0, batches: 1 });
  });
});
