import { expect, test } from 'vitest';
import {
  APPEND_BYTES,
  appendIntervalMs,
  firstLine,
  makeAppends,
  markAppend,
  markOf,
} from '../../../bench/latency-appends.ts';

test('at 50 MB/s an append of 4,096 bytes is due each 0.08192 ms', () => {
  expect(appendIntervalMs(50e6)).toBeCloseTo(0.08192, 10);
});

test('appends are whole lines of one size, and only the last line of each tells which it is', () => {
  for (const [i, append] of makeAppends().slice(0, 50).entries()) {
    markAppend(append, 0);
    markAppend(append, 123_456 + i);
    expect(append).toHaveLength(APPEND_BYTES);
    expect(append.at(-1)).toBe(0x0a);
    const lines = append.toString('latin1').trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(5);
    const marks = lines.map((line) => markOf(Buffer.from(line), 0, line.length));
    expect(marks.filter((mark) => mark !== undefined)).toEqual([123_456 + i]);
    expect(marks.at(-1)).toBe(123_456 + i);
  }
});

test("a file's first line has no mark", () => {
  const line = Buffer.from(firstLine(7));
  expect(markOf(line, 0, line.length)).toBeUndefined();
});
