import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { timeParser } from '../../../../transporter/decode/parse-time.ts';

const at = (iso: string): number => Date.parse(iso);

describe('a time', () => {
  it.each([
    ['unix-s', 1785499200, '2026-07-31T12:00:00Z'],
    ['unix-s', 1785499200.25, '2026-07-31T12:00:00.250Z'],
    ['unix-s', '1785499200', '2026-07-31T12:00:00Z'],
    ['unix-ms', 1785499200123, '2026-07-31T12:00:00.123Z'],
    ['unix-us', 1785499200123000, '2026-07-31T12:00:00.123Z'],
    ['unix-ns', '1785499200123000000', '2026-07-31T12:00:00.123Z'],
    ['iso', '2026-07-31T12:00:00Z', '2026-07-31T12:00:00Z'],
    ['iso', '2026-07-31T12:00:00.123456789Z', '2026-07-31T12:00:00.123Z'],
    ['iso', '2026-07-31 14:00:00,5+02:00', '2026-07-31T12:00:00.500Z'],
    ['iso', '2026-07-31T07:30:00-0430', '2026-07-31T12:00:00Z'],
    ['iso', '20260731T120000Z', '2026-07-31T12:00:00Z'],
    ['iso', '2026-07-31T12:00', '2026-07-31T12:00:00Z'],
    ['iso', '2026-07-31', '2026-07-31T00:00:00Z'],
    ['unix-ms', -1, '1969-12-31T23:59:59.999Z'],
    ['iso', '1900-01-01', '1900-01-01T00:00:00Z'],
    ['iso', '2016-12-31T23:59:60Z', '2017-01-01T00:00:00Z'],
    ['dd/MMM/yyyy:HH:mm:ss Z', '31/Jul/2026:14:00:00 +0200', '2026-07-31T12:00:00Z'],
    ["yyyy-MM-dd'T'HH:mm:ss.SSSXXX", '2026-07-31T14:00:00.250+02:00', '2026-07-31T12:00:00.250Z'],
    ['EEE, d MMM yyyy hh:mm:ss a', 'Fri, 31 Jul 2026 12:00:00 AM', '2026-07-31T00:00:00Z'],
    ['M/d/yyyy h:mm:ss a', '7/3/2026 1:02:03 PM', '2026-07-03T13:02:03Z'],
    ["yyyyMMdd HH 'o''clock'", "20260731 12 o'clock", '2026-07-31T12:00:00Z'],
    ["yyyyMMdd''HH", "20260731'12", '2026-07-31T12:00:00Z'],
    ['yyyy/MM/dd', '2026/07/31', '2026-07-31T00:00:00Z'],
  ])('of the format %s: %j', (format, value, expected) => {
    const ms = timeParser(format, 'UTC')(value);
    expect(Math.floor(ms ?? NaN)).toBe(at(expected));
  });

  it('has its microseconds behind the point', () => {
    expect(timeParser('iso', 'UTC')('2026-07-31T12:00:00.123456Z')).toBeCloseTo(
      at('2026-07-31T12:00:00.123Z') + 0.456,
      3,
    );
  });

  it.each([
    ['unix-s', null],
    ['unix-s', true],
    ['unix-s', '12 o'],
    ['unix-ms', Date.UTC(10_000, 0)],
    ['iso', 1785499200],
    ['iso', '2026-02-29'],
    ['iso', '2026-13-01'],
    ['iso', '2026-07-31T24:00:00Z'],
    ['iso', '2026-07-31T12:60:00Z'],
    ['iso', '1899-12-31T23:59:59Z'],
    ['iso', '0001-01-01T00:00:00Z'],
    ['iso', '0099-07-31T00:00:00Z'], // Date.UTC takes it for 1999
    ['iso', 'yesterday'],
    ['iso', '2026-07-31T12:00:00Z '],
    ['dd/MMM/yyyy', '31/Juli/2026'],
    ['dd/MMM/yyyy', '31/Jul/2026 12'],
    ['yyyy-MM-dd hh a', '2026-07-31 13 PM'],
  ])('is not %s: %j', (format, value) => {
    expect(timeParser(format, 'UTC')(value)).toBeUndefined();
  });

  it('is on the clock of its zone when it says none, and else where it says', () => {
    const parse = timeParser('iso', 'Europe/Berlin');
    expect(parse('2026-07-31T14:00:00')).toBe(at('2026-07-31T12:00:00Z'));
    expect(parse('2026-01-31T13:00:00')).toBe(at('2026-01-31T12:00:00Z'));
    expect(parse('2026-07-31T14:00:00Z')).toBe(at('2026-07-31T14:00:00Z'));
  });

  it('is the first of two when the clock goes back, and an hour on when it goes forward', () => {
    const parse = timeParser('iso', 'Europe/Berlin');
    expect(parse('2026-10-25T02:30:00')).toBe(at('2026-10-25T00:30:00Z'));
    expect(parse('2026-10-25T03:00:00')).toBe(at('2026-10-25T02:00:00Z'));
    expect(parse('2026-03-29T02:30:00')).toBe(at('2026-03-29T01:30:00Z'));
    expect(parse('2026-03-29T03:00:00')).toBe(at('2026-03-29T01:00:00Z'));
  });

  it('is what the date command shows for it, in any zone', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.array(fc.integer({ min: at('1990-01-01T00:00Z'), max: at('2037-01-01T00:00Z') }), {
          minLength: 20,
          maxLength: 20,
        }),
        (timeZone, instants) => {
          const show = (seconds: readonly number[], zone: string): string[] =>
            execFileSync('date', ['-f', '-', '+%Y-%m-%d %H:%M:%S'], {
              input: seconds.map((second) => `@${second}`).join('\n'),
              env: { TZ: zone },
              encoding: 'utf8',
            })
              .trim()
              .split('\n');
          const shown = show(
            instants.map((ms) => Math.floor(ms / 1000)),
            timeZone,
          );
          const parse = timeParser('yyyy-MM-dd HH:mm:ss', timeZone);
          // A clock shows some times twice, so they are compared as it shows them.
          expect(
            show(
              shown.map((text) => parse(text)! / 1000),
              timeZone,
            ),
          ).toEqual(shown);
        },
      ),
      { numRuns: 20 },
    );
  });
});
