import { describe, expect, test } from 'vitest';
import { parseOptions, UsageError } from '../../../bench/options.ts';

describe('options of the benchmark', () => {
  test('have defaults', () => {
    expect(parseOptions([])).toMatchObject({ what: 'agent', mb: undefined, seed: 1, rate: 50e6, brokers: 3 });
  });

  test('a rate is in millions of bytes, with or without its unit', () => {
    expect(parseOptions(['latency', '--rate', '20MB', '--files', '10'])).toMatchObject({
      what: 'latency',
      rate: 20e6,
      files: 10,
    });
    expect(parseOptions(['latency', '--rate', '20'])).toMatchObject({ rate: 20e6 });
  });

  test('--help is enough', () => expect(parseOptions(['--help'])).toBe('help'));

  test.each([
    [['--mb', '0'], /--mb must be a whole number above 0, not 0/],
    [['--mb', '1.5'], /--mb/],
    [['--runs', 'many'], /--runs/],
    [['--rate', '5GB'], /--rate/],
    [['--brokers', '2'], /--brokers must be 1 or 3/],
    [['--mb', '1', '--file', 'x'], /leave --mb out/],
    [['agent', 'micro'], /not agent and micro/],
    [['--bytes', '1'], /--bytes/],
  ])('%j is refused', (args, reason) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(reason);
  });
});
