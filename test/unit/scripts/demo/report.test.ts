import { describe, expect, test } from 'vitest';
import type { FileVerdict } from '../../../../scripts/demo/line-check.ts';
import { describeVerdict } from '../../../../scripts/demo/report.ts';

const fileVerdict = (overrides: Partial<FileVerdict> = {}): FileVerdict => ({
  name: 'a.log',
  expected: 1000,
  found: 1000,
  missing: 0,
  doubled: 0,
  expectedChecksum: 'aa',
  foundChecksum: 'aa',
  examples: [],
  remarks: [],
  ...overrides,
});

describe('the verdict in words', () => {
  test('all is well', () => {
    const lines = describeVerdict({
      exactlyOnce: true,
      files: [fileVerdict()],
      foreign: 0,
      foreignExamples: [],
    });

    expect(lines.at(-1)).toBe('every line exactly once: 1,000 lines of 1 file(s)');
    expect(lines[1]).toMatch(/^a\.log +1,000 +1,000 +0 +0 +aa +the same$/);
  });

  test('whatever is wrong is named, with examples', () => {
    const broken = fileVerdict({
      name: 'b.log',
      found: 1001,
      missing: 2,
      doubled: 3,
      foundChecksum: 'bb',
      examples: ['line 7 is missing'],
    });
    const altered = fileVerdict({ name: 'c.log', foundChecksum: 'cc' });

    const lines = describeVerdict({
      exactlyOnce: false,
      files: [fileVerdict(), broken, altered],
      foreign: 1,
      foreignExamples: ['who am I'],
    });

    expect(lines).toContain('  b.log: line 7 is missing');
    expect(lines).toContain('  of no file: who am I');
    expect(lines).toContain(
      'NOT every line exactly once: of 3,000 lines, 2 missing, 3 doubled, 1 file(s) with altered lines, 1 foreign',
    );
    expect(lines[4]).toMatch(/^all +3,000 +3,001 +2 +3 *$/);
  });

  test('of many files those with trouble are shown', () => {
    const files = Array.from({ length: 200 }, (_, index) => fileVerdict({ name: `${index}.log` }));
    files[150] = fileVerdict({ name: 'broken.log', missing: 1, found: 999 });

    const lines = describeVerdict({ exactlyOnce: false, files, foreign: 0, foreignExamples: [] });

    expect(lines[1]).toContain('broken.log');
    expect(lines).toContain('and 160 more files without trouble');
  });
});
