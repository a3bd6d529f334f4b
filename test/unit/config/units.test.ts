import { assert, nat, property, string } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBytes, parseDurationMs } from '../../../shared/config/units.ts';

describe('sizes', () => {
  // IEC 80000-13 and SI prefixes.
  test.each([
    [0, 0],
    [1_048_576, 1_048_576],
    ['0', 0],
    ['17', 17],
    ['512B', 512],
    ['1kB', 1000],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
    ['1 MiB', 1_048_576],
    ['1.5KiB', 1536],
    ['2GB', 2_000_000_000],
    ['1GiB', 1_073_741_824],
  ])('%j is %i bytes', (written, bytes) => {
    expect(parseBytes(written)).toBe(bytes);
  });

  test.each([
    '',
    ' ',
    '-1',
    '1Mi',
    '1 M',
    'MiB',
    '1MiB2',
    '0x10',
    '1e3',
    '1.0001KiB',
    '1mib',
    'toString',
    '١',
  ])('%j is no size', (written) => {
    expect(parseBytes(written)).toBeUndefined();
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    'the number %d is no size',
    (written) => {
      expect(parseBytes(written)).toBeUndefined();
    },
  );
});

describe('durations', () => {
  test.each([
    [5000, 5000],
    ['250ms', 250],
    ['5s', 5000],
    ['1.5s', 1500],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('%j is %i ms', (written, milliseconds) => {
    expect(parseDurationMs(written)).toBe(milliseconds);
  });

  test.each(['5S', '5 min', '-5s', '0.0001s', '5s 3ms', 'constructor'])('%j is no duration', (written) => {
    expect(parseDurationMs(written)).toBeUndefined();
  });
});

test('a whole number of any unit is that many times the unit', () => {
  assert(
    property(nat(1_000_000), (count) => {
      expect(parseBytes(`${count}KiB`)).toBe(count * 1024);
      expect(parseDurationMs(`${count}m`)).toBe(count * 60 * 1000);
    }),
  );
});

test('whatever the text is, it gives a whole number or nothing', () => {
  assert(
    property(string(), (text) => {
      const parsed = parseBytes(text);
      expect(parsed === undefined || (Number.isSafeInteger(parsed) && parsed >= 0)).toBe(true);
    }),
  );
});
