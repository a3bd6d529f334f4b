import { describe, expect, it } from 'vitest';
import { progressJson, progressLines } from '../../../cli/progress-text.ts';
import type { PartitionStanding, TopicStanding } from '../../../transporter/complete/topic-standing.ts';

const NOON_MS = Date.UTC(2026, 6, 31, 12);
const MINUTE_MS = 60_000;

function partition(number: number, known: Partial<PartitionStanding> = {}): PartitionStanding {
  const nothing = { throughMs: undefined, committedOffset: undefined, endOffset: undefined };
  return { partition: number, ...nothing, lagRecords: undefined, ...known };
}

const topic: TopicStanding = {
  topic: 'web',
  throughMs: NOON_MS - 90 * MINUTE_MS,
  lagRecords: 1_007,
  partitions: [
    partition(0, { throughMs: NOON_MS - MINUTE_MS, committedOffset: 10, endOffset: 10, lagRecords: 0 }),
    partition(1, { throughMs: NOON_MS - 90 * MINUTE_MS, committedOffset: 5, endOffset: 12, lagRecords: 7 }),
    partition(2, { endOffset: 1_000, lagRecords: 1_000 }),
    partition(3, { throughMs: NOON_MS - MINUTE_MS, committedOffset: 4 }),
  ],
};

describe('progressLines', () => {
  it('says up to when a topic is complete, and which partitions hold it back, the slowest first', () => {
    const [head, ...rows] = progressLines(topic, { nowMs: NOON_MS, all: false });
    expect(head).toBe('topic web: complete through 2026-07-31T10:30:00Z, 90 min ago; 1007 records behind');
    expect(rows.map((row) => row.trim().split(/ {2,}/))).toEqual([
      ['partition', 'complete through', 'ago', 'committed', 'of', 'records behind'],
      ['2', 'not known yet', '-', 'nothing yet', '1000', '1000'],
      ['1', '2026-07-31T10:30:00Z', '90 min', '5', '12', '7'],
      ['0', '2026-07-31T11:59:00Z', '60 s', '10', '10', '0'],
      ['3', '2026-07-31T11:59:00Z', '60 s', '4', 'no leader', '-'],
    ]);
  });

  it('shows ten partitions, and all of them on demand', () => {
    const partitions = Array.from({ length: 12 }, (_, number) => partition(number, { lagRecords: number }));
    const many = { topic: 'web', throughMs: undefined, lagRecords: 66, partitions };
    const numbers = (lines: string[]): number[] =>
      lines.flatMap((line) =>
        [/^ +(\d+) /.exec(line)?.[1]].filter((found) => found !== undefined).map(Number),
      );
    const shown = progressLines(many, { nowMs: NOON_MS, all: false });
    expect(shown[0]).toBe('topic web: complete through not known yet; 66 records behind');
    expect(numbers(shown)).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    expect(shown.at(-1)).toBe('  and 2 more partitions, which are no further behind; --all shows them');
    const all = progressLines(many, { nowMs: NOON_MS, all: true });
    expect(numbers(all)).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(all).toHaveLength(14);
  });

  it('does not count back when a clock is behind that of the worker', () => {
    const [head] = progressLines(topic, { nowMs: NOON_MS - 120 * MINUTE_MS, all: false });
    expect(head).toBe('topic web: complete through 2026-07-31T10:30:00Z, 0 s ago; 1007 records behind');
  });
});

describe('progressJson', () => {
  it('has null for what is not known', () => {
    const text = progressJson('loaders', [{ ...topic, partitions: topic.partitions.slice(1, 3) }]);
    expect(JSON.parse(text)).toEqual({
      group: 'loaders',
      topics: [
        {
          topic: 'web',
          completeThrough: '2026-07-31T10:30:00.000Z',
          lagRecords: 1_007,
          partitions: [
            {
              partition: 1,
              completeThrough: '2026-07-31T10:30:00.000Z',
              committedOffset: 5,
              endOffset: 12,
              lagRecords: 7,
            },
            {
              partition: 2,
              completeThrough: null,
              committedOffset: null,
              endOffset: 1_000,
              lagRecords: 1_000,
            },
          ],
        },
      ],
    });
  });
});
