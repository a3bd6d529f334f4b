import { describe, expect, test } from 'vitest';
import { roundRobin, type RoundRobinOptions } from '../../../../agent/publish/round-robin.ts';
import { seededRandom } from '../../../simulation/support/random.ts';
import { RACKS, someView } from './some-view.ts';

/** Two partitions on each broker: 0 and 3 in rack-a, 1 and 4 in rack-b, 2 and 5 in rack-c. */
const SIX = someView([1, 2, 3, 1, 2, 3]);

const always = (): boolean => true;

function setUp(options: Partial<RoundRobinOptions> = {}) {
  return roundRobin({ rack: 'rack-a', mode: 'prefer', random: seededRandom(1), ...options });
}

/** Partitions that `count` batches went to. */
function batches(
  partitioner: ReturnType<typeof setUp>,
  count: number,
  view = SIX,
  usable: (partition: number) => boolean = always,
): number[] {
  return Array.from({ length: count }, () => {
    const { partition } = partitioner.choose(view, usable)!;
    partitioner.took(1);
    return partition;
  });
}

describe('turns', () => {
  test('the first partition is drawn, then they follow each other and begin again', () => {
    const ignoring = setUp({ mode: 'ignore', random: () => 0.5 });
    expect(batches(ignoring, 8)).toEqual([3, 4, 5, 0, 1, 2, 3, 4]);
  });

  test('by partition number, however the metadata lists them', () => {
    const view = { ...SIX, partitions: [...SIX.partitions].reverse() };
    expect(batches(setUp({ mode: 'ignore', random: () => 0 }), 6, view)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('prefer: only those that the rack leads, the same number of batches for each', () => {
    expect(batches(setUp({ random: () => 0 }), 5)).toEqual([0, 3, 0, 3, 0]);
    expect(batches(setUp({ rack: 'rack-c', random: () => 0 }), 4)).toEqual([2, 5, 2, 5]);
  });

  test('only one partition can be used: no batch after the first counts as a move', () => {
    const partitioner = setUp();
    const one = someView([1, 2, 3]);
    expect(partitioner.choose(one, always)).toEqual({ partition: 0, moved: 'first' });
    partitioner.took(1);
    expect(partitioner.choose(one, always)).toEqual({ partition: 0, moved: undefined });
  });

  test('each other partition is a move', () => {
    const partitioner = setUp({ random: () => 0 });
    expect(partitioner.choose(SIX, always)).toEqual({ partition: 0, moved: 'first' });
    partitioner.took(1);
    expect(partitioner.choose(SIX, always)).toEqual({ partition: 3, moved: 'turn' });
  });
});

describe('a batch that waits for room', () => {
  test('keeps its partition, however often is asked, and is no move again', () => {
    const partitioner = setUp({ mode: 'ignore', random: () => 0 });
    expect(batches(partitioner, 2)).toEqual([0, 1]);
    expect(partitioner.choose(SIX, always)).toEqual({ partition: 2, moved: 'turn' });
    for (let i = 0; i < 20; i += 1) {
      expect(partitioner.choose(SIX, always)).toEqual({ partition: 2, moved: undefined });
    }
    partitioner.took(1);
    expect(partitioner.choose(SIX, always)!.partition).toBe(3);
  });

  test('goes on to the next partition when its own gets nothing through any more', () => {
    const partitioner = setUp({ mode: 'ignore', random: () => 0 });
    expect(partitioner.choose(SIX, always)!.partition).toBe(0);
    expect(partitioner.choose(SIX, (p) => p !== 0)).toEqual({ partition: 1, moved: 'turn' });
  });

  test('goes on when the leader of its partition has left the rack', () => {
    const partitioner = setUp({ random: () => 0 });
    expect(partitioner.choose(SIX, always)!.partition).toBe(0);
    expect(partitioner.choose(someView([2, 2, 3, 1, 2, 3]), always)!.partition).toBe(3);
  });
});

describe('partitions that cannot be used', () => {
  test('are passed over, and the one after them gets no second batch for it', () => {
    const partitioner = setUp({ mode: 'ignore', random: () => 0 });
    expect(batches(partitioner, 10, SIX, (p) => p !== 2)).toEqual([0, 1, 3, 4, 5, 0, 1, 3, 4, 5]);
  });

  test('without a leader they are passed over as well', () => {
    expect(batches(setUp({ mode: 'ignore', random: () => 0 }), 4, someView([1, -1, 3]))).toEqual([
      0, 2, 0, 2,
    ]);
  });

  test('none is left: nothing can be chosen, and later the turns go on where they were', () => {
    const partitioner = setUp({ mode: 'ignore', random: () => 0 });
    expect(batches(partitioner, 2)).toEqual([0, 1]);
    expect(partitioner.choose(someView([-1, -1]), always)).toBeUndefined();
    expect(batches(partitioner, 2)).toEqual([2, 3]);
  });

  test('require: with the whole rack in trouble the lines wait', () => {
    const partitioner = setUp({ mode: 'require' });
    expect(partitioner.choose(SIX, (p) => p !== 0 && p !== 3)).toBeUndefined();
    expect(partitioner.choose(someView([2, 2, 2]), always)).toBeUndefined();
  });

  test('prefer: with the whole rack in trouble the turns go over all others, and come back', () => {
    const partitioner = setUp({ random: () => 0 });
    const notNear = (p: number): boolean => p !== 0 && p !== 3;
    expect(batches(partitioner, 5, SIX, notNear)).toEqual([1, 2, 4, 5, 1]);
    expect(batches(partitioner, 3)).toEqual([3, 0, 3]);
  });
});

describe('a fleet', () => {
  const SEED = 20261122;
  // 60 partitions, 20 led in each rack.
  const view = someView(Array.from({ length: 60 }, (_, p) => (p % 3) + 1));

  test('a host gives every partition of its rack the same number of batches, to within one', () => {
    const random = seededRandom(SEED);
    for (const rack of RACKS) {
      const counts = new Map<number, number>();
      for (const p of batches(setUp({ rack, random }), 1_010, view)) counts.set(p, (counts.get(p) ?? 0) + 1);
      const near = Array.from({ length: 20 }, (_, i) => i * 3 + RACKS.indexOf(rack));
      expect([...counts.keys()].sort((a, b) => a - b)).toEqual(near);
      // 1,010 = 20 * 50 + 10: ten partitions get 51, ten get 50.
      expect([...counts.values()].filter((n) => n === 51)).toHaveLength(10);
      expect([...counts.values()].filter((n) => n === 50)).toHaveLength(10);
    }
  });

  test(`a thousand hosts that start together do not go to the same partitions (seed ${SEED})`, () => {
    const random = seededRandom(SEED);
    const hosts = Array.from({ length: 1_000 }, (_, i) => setUp({ rack: RACKS[i % 3]!, random }));
    for (let step = 0; step < 30; step += 1) {
      const counts = Array.from({ length: 60 }, () => 0);
      for (const host of hosts) counts[batches(host, 1, view)[0]!]! += 1;
      for (const rack of [0, 1, 2]) {
        const mine = counts.filter((_, p) => p % 3 === rack);
        const expected = mine.reduce((sum, n) => sum + n, 0) / mine.length;
        const chiSquare = mine.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
        // The 0.1 % point of chi-square with 19 degrees of freedom (NIST/SEMATECH e-Handbook, table 1.3.6.7.4).
        expect(chiSquare, `step ${step}, rack ${rack}: ${mine.join(' ')}`).toBeLessThan(43.82);
      }
    }
  });
});
