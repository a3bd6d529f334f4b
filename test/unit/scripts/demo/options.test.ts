import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../../scripts/demo/demo-error.ts';
import { parseOptions } from '../../../../scripts/demo/options.ts';

describe('the arguments of the demo', () => {
  test('none at all are a million lines', () => {
    expect(parseOptions([])).toEqual({ lines: 1_000_000, seed: 1, chaos: false, keep: false, paths: [] });
  });

  test('each is taken', () => {
    expect(parseOptions(['--lines', '10,000,000', '--seed=7', '--chaos', '--keep'])).toEqual({
      lines: 10_000_000,
      seed: 7,
      chaos: true,
      keep: true,
      paths: [],
    });
    expect(parseOptions(['--chaos', '/var/log/a.log', 'b'])).toMatchObject({
      paths: ['/var/log/a.log', 'b'],
    });
  });

  test('help is given', () => {
    expect(parseOptions(['-h'])).toBeUndefined();
    expect(parseOptions(['--help', '--chaos'])).toBeUndefined();
  });

  test.each([
    [['--lines', '0']],
    [['--lines', '-5']],
    [['--lines', '1e6']],
    [['--lines', 'many']],
    [['--lines', '1000000001']],
    [['--lines', '']],
    [['--lines']],
    [['--seed', '1.5']],
    [['--seed', '2147483648']],
    [['--colour']],
    [['--lines', '5', '/var/log/a.log']],
    [['--seed', '5', '/var/log/a.log']],
  ])('%j is refused', (args) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
  });
});
