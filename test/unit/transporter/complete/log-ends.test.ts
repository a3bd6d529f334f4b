import { describe, expect, it } from 'vitest';
import { createLogEnds } from '../../../../transporter/complete/log-ends.ts';

describe('the ends of a log', () => {
  it('tell since when everything below an offset is all that there was', () => {
    const ends = createLogEnds();
    ends.saw(100, 1000);
    ends.saw(200, 2000);
    ends.saw(300, 3000);
    expect([99, 100, 199, 200, 250, 300, 999].map((offset) => ends.passedAtMs(offset))).toEqual([
      undefined,
      1000,
      1000,
      2000,
      2000,
      3000,
      3000,
    ]);
  });

  it('move on in time while a quiet log stays where it is', () => {
    const ends = createLogEnds();
    for (let ms = 0; ms <= 10_000; ms += 500) ends.saw(100, ms);
    expect(ends.passedAtMs(100)).toBe(10_000);
  });

  it('do not believe a new leader that knows less of the end than the one before it', () => {
    const ends = createLogEnds();
    ends.saw(200, 1000);
    ends.saw(150, 2000);
    expect(ends.passedAtMs(150)).toBeUndefined();
    expect(ends.passedAtMs(200)).toBe(2000);
  });

  it('do not go back with a clock that is set back', () => {
    const ends = createLogEnds();
    ends.saw(100, 5000);
    ends.saw(200, 1000);
    expect(ends.passedAtMs(200)).toBe(5000);
  });

  it('are few, and coarser with time, also for a partition that never reaches the end', () => {
    const ends = createLogEnds();
    for (let i = 0; i < 100_000; i += 1) ends.saw(i * 10, i);
    const known = new Set(Array.from({ length: 1000 }, (_, i) => ends.passedAtMs(i * 1000)));
    expect(known.size).toBeLessThanOrEqual(65);
    expect(ends.passedAtMs(0)).toBe(0);
    expect(ends.passedAtMs(500_000)).toBeGreaterThan(40_000);
    expect(ends.passedAtMs(1_000_000)).toBe(99_999);
  });

  it('are forgotten behind what is committed, but for the one that it has passed', () => {
    const ends = createLogEnds();
    ends.saw(100, 1000);
    ends.saw(200, 2000);
    ends.saw(300, 3000);
    ends.forgetBefore(250);
    expect(ends.passedAtMs(150)).toBeUndefined();
    expect(ends.passedAtMs(250)).toBe(2000);
  });
});
