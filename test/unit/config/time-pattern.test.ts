import { describe, expect, test } from 'vitest';
import { timePatternProblem } from '../../../shared/config/time-pattern.ts';

test.each([
  'dd/MMM/yyyy:HH:mm:ss Z',
  "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
  'EEE MMM d HH:mm:ss yyyy',
  'M/d/yyyy h:mm:ss a',
  "yyyyMMdd''HH",
])('%s says which day', (pattern) => {
  expect(timePatternProblem(pattern)).toBeUndefined();
});

describe('what cannot be a time', () => {
  test.each([
    ['HH:mm:ss', 'lacks the year'],
    ['MMM d HH:mm:ss', 'lacks the year'],
    ['yyyy-MM', 'or the day'],
    ['yyyy-DD', 'no field'],
    ['yyyy-MM-ddTHH', 'no field'],
    ["yyyy-MM-dd 'at", 'no field'],
    ['yyyy-MM-dd hh:mm', 'belong together'],
    ['yyyy-MM-dd HH:mm a', 'belong together'],
    ['yyyy-MM-dd dd', 'twice'],
  ])('%s: %s', (pattern, problem) => {
    expect(timePatternProblem(pattern)).toContain(problem);
  });
});
