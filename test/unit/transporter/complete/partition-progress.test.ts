import { describe, expect, it } from 'vitest';
import { createPartitionProgress } from '../../../../transporter/complete/partition-progress.ts';
import type { Progress } from '../../../../transporter/complete/progress.ts';

const NOON = Date.parse('2026-07-31T12:00:00Z');
const MINUTE = 60_000;

function partition(found: Progress = {}) {
  return createPartitionProgress(found, { bucket: 'hour', timeZone: 'UTC', graceMs: 30_000 });
}

describe('the progress of a partition', () => {
  it('is the time at which the log ended where it is stored now, less the grace', () => {
    const progress = partition();
    progress.sawLogEnd(100, NOON);
    progress.sawLogEnd(200, NOON + MINUTE);
    expect(progress.at(99)).toEqual({ through: undefined, marked: undefined });
    expect(progress.at(150).through).toBe(NOON - 30_000);
    expect(progress.at(200).through).toBe(NOON + 30_000);
  });

  it('never goes back, whatever a new owner with another clock sees', () => {
    const progress = partition({ through: NOON });
    progress.sawLogEnd(100, NOON - 60 * MINUTE);
    expect(progress.at(100).through).toBe(NOON);
  });

  it('is committed by itself when it is first known, and then once for each bucket that ends', () => {
    const progress = partition();
    const commits: number[] = [];
    for (let ms = NOON - 90 * MINUTE; ms <= NOON + 90 * MINUTE; ms += 500) {
      progress.sawLogEnd(100, ms);
      if (!progress.isDue(100)) continue;
      commits.push(ms);
      progress.onCommitted(progress.at(100), 100);
    }
    // 11:00, 12:00 and 13:00, each when its grace is over.
    const ends = [-60, 0, 60].map((minutes) => NOON + minutes * MINUTE + 30_000);
    expect(commits).toEqual([NOON - 90 * MINUTE, ...ends]);
  });

  it('waits for what is not stored: a commit of its own would say nothing new', () => {
    const progress = partition({ through: NOON - 10 * MINUTE });
    progress.sawLogEnd(100, NOON + MINUTE);
    expect(progress.isDue(99)).toBe(false);
    expect(progress.isDue(100)).toBe(true);
  });

  it('wants to know where the log ends at first, and when the grace of a bucket is over', () => {
    const progress = partition();
    expect(progress.isLogEndWanted(NOON)).toBe(true);
    progress.sawLogEnd(100, NOON - MINUTE);
    const wanted = [-1, 29_999, 30_000, 60 * MINUTE].map((ms) => progress.isLogEndWanted(NOON + ms));
    expect(wanted).toEqual([false, false, true, true]);
    progress.sawLogEnd(100, NOON + 30_000);
    expect(progress.isLogEndWanted(NOON + 30_001)).toBe(false);
  });

  it('says which buckets are about to be finished until they are', () => {
    const progress = partition({ through: NOON, marked: NOON });
    progress.close(NOON + MINUTE);
    expect(progress.isDue(100)).toBe(true);
    const closed = { through: NOON, marked: NOON, closed: NOON + MINUTE };
    expect(progress.at(100)).toEqual(closed);
    progress.onCommitted(closed, 100);
    expect(progress.isDue(100)).toBe(false);
    progress.mark(NOON + MINUTE);
    expect(progress.at(100)).toEqual({ through: NOON, marked: NOON + MINUTE, closed: undefined });
  });

  it('takes the mark of its topic along, and does not let it go back', () => {
    const progress = partition({ through: NOON, marked: NOON });
    progress.mark(NOON - MINUTE);
    expect(progress.isDue(100)).toBe(false);
    progress.mark(NOON + MINUTE);
    expect(progress.isDue(100)).toBe(true);
    expect(progress.at(100)).toEqual({ through: NOON, marked: NOON + MINUTE });
  });
});
