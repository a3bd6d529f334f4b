import { describe, expect, test } from 'vitest';
import { LINES } from '../../../shared/framing/framing.ts';
import { patternProblem, recordPattern } from '../../../shared/framing/line-pattern.ts';

describe('patterns', () => {
  test.each([
    '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}',
    '^\\[?[0-9]{1,3}(\\.[0-9]{1,3}){3}',
    '^[ \\t]|^Caused by: |^$',
    '^(TRACE|DEBUG|INFO|WARN|ERROR)\\b',
    '\\\\$',
    '年',
  ])('%s can be used', (pattern) => {
    expect(patternProblem(pattern)).toBeUndefined();
  });

  test.each([
    ['^(', 'must be a regular expression of JavaScript: /^(/: Unterminated group'],
    ['[z-a]', 'must be a regular expression of JavaScript: /[z-a]/: Range out of order in character class'],
    ['^(?!\\s)', 'in linear time: without lookahead, lookbehind and back references'],
    ['(?<=a)b', 'in linear time'],
    ['^(.)\\1', 'in linear time'],
    ['x{1000}', 'repeat counts up to 16'],
  ])('%s is refused', (pattern, message) => {
    expect(patternProblem(pattern)).toContain(message);
  });

  // Each takes a backtracking engine longer than the age of the universe on a thousand characters.
  test.each(['^(a+)+$', '(a|aa)+$', '(.*)*b', '^(([a-z])+.)+[A-Z]([a-z])+$'])(
    '%s cannot hang the agent',
    (pattern) => {
      expect(patternProblem(pattern)).toBeUndefined();
      const begins = recordPattern({ ...LINES, type: 'multiline', matches: 'start', pattern }, 'bytes');
      const line = Buffer.from(`${'a'.repeat(1_000)}!`);
      const fromMs = performance.now();
      for (let i = 0; i < 100; i += 1) expect(begins(line, 0, line.length)).toBe(false);
      expect(performance.now() - fromMs).toBeLessThan(5_000);
    },
  );
});
