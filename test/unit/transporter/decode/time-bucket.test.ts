import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketFinder } from '../../../../transporter/decode/time-bucket.ts';

const at = (iso: string): number => Date.parse(iso);

describe('bucketFinder', () => {
  it.each([
    ['minute', '2026-07-31T23:59', '2026-07-31T23:59:00Z', '2026-08-01T00:00:00Z'],
    ['hour', '2026-07-31T23:00', '2026-07-31T23:00:00Z', '2026-08-01T00:00:00Z'],
    ['day', '2026-07-31T00:00', '2026-07-31T00:00:00Z', '2026-08-01T00:00:00Z'],
  ] as const)('finds the %s in UTC', (bucket, label, start, end) => {
    expect(bucketFinder(bucket, 'UTC')(at('2026-07-31T23:59:59.999Z'))).toEqual({
      label,
      startMs: at(start),
      endMs: at(end),
    });
  });

  it('finds local days and hours, also of a zone that is off by half an hour', () => {
    expect(bucketFinder('day', 'America/New_York')(at('2026-07-31T03:59:59Z'))).toEqual({
      label: '2026-07-30T00:00',
      startMs: at('2026-07-30T04:00:00Z'),
      endMs: at('2026-07-31T04:00:00Z'),
    });
    expect(bucketFinder('hour', 'Asia/Kolkata')(at('2026-07-31T00:29:59Z'))).toEqual({
      label: '2026-07-31T05:00',
      startMs: at('2026-07-30T23:30:00Z'),
      endMs: at('2026-07-31T00:30:00Z'),
    });
  });

  it('gives both hours that the clock calls 02 when summer time ends one label, and a span each', () => {
    const find = bucketFinder('hour', 'Europe/Berlin');
    expect(find(at('2026-10-25T00:30:00Z'))).toEqual({
      label: '2026-10-25T02:00',
      startMs: at('2026-10-25T00:00:00Z'),
      endMs: at('2026-10-25T01:00:00Z'),
    });
    expect(find(at('2026-10-25T01:30:00Z'))).toEqual({
      label: '2026-10-25T02:00',
      startMs: at('2026-10-25T01:00:00Z'),
      endMs: at('2026-10-25T02:00:00Z'),
    });
  });

  it('splits the days of 23 and 25 hours where the offset changes', () => {
    const find = bucketFinder('day', 'Europe/Berlin');
    expect(find(at('2026-03-29T00:59:00Z'))).toEqual({
      label: '2026-03-29T00:00',
      startMs: at('2026-03-28T23:00:00Z'),
      endMs: at('2026-03-29T01:00:00Z'),
    });
    expect(find(at('2026-03-29T01:00:00Z'))).toEqual({
      label: '2026-03-29T00:00',
      startMs: at('2026-03-29T01:00:00Z'),
      endMs: at('2026-03-29T22:00:00Z'),
    });
  });

  it('puts records without a timestamp, and with impossible ones, at the ends of the calendar', () => {
    const find = bucketFinder('hour', 'UTC');
    expect(find(-1)).toMatchObject({ label: '1970-01-01T00:00', startMs: -Infinity });
    expect(find(0)).toMatchObject({ label: '1970-01-01T00:00', startMs: -Infinity, endMs: 3_600_000 });
    expect(find(2 ** 53)).toMatchObject({ label: '9999-12-30T00:00', endMs: Infinity });
  });

  it('agrees with the date command on any instant of any zone', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.array(fc.integer({ min: at('1990-01-01T00:00Z'), max: at('2037-01-01T00:00Z') }), {
          minLength: 20,
          maxLength: 20,
        }),
        (timeZone, instants) => {
          const input = instants.map((ms) => `@${Math.floor(ms / 1000)}`).join('\n');
          const expected = execFileSync('date', ['-f', '-', '+%Y-%m-%dT%H:00'], {
            input,
            env: { TZ: timeZone },
            encoding: 'utf8',
          });
          const find = bucketFinder('hour', timeZone);
          expect(instants.map((ms) => find(ms).label)).toEqual(expected.trim().split('\n'));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('answers with spans that hold the asked instant and have one label throughout', () => {
    const changes = [at('2026-03-29T01:00Z'), at('2026-10-25T01:00Z'), at('2026-04-04T15:00Z')];
    fc.assert(
      fc.property(
        fc.constantFrom('Europe/Berlin', 'Australia/Lord_Howe'),
        fc.constantFrom('minute' as const, 'hour' as const, 'day' as const),
        fc.constantFrom(...changes),
        fc.integer({ min: -90_000_000, max: 90_000_000 }),
        (timeZone, bucket, change, delta) => {
          const find = bucketFinder(bucket, timeZone);
          const span = find(change + delta);
          expect(span.startMs).toBeLessThanOrEqual(change + delta);
          expect(span.endMs).toBeGreaterThan(change + delta);
          expect(find(span.startMs)).toEqual(span);
          expect(find(span.endMs - 1)).toEqual(span);
        },
      ),
    );
  });
});
