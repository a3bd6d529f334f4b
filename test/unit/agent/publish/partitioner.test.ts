import { describe, expect, test } from 'vitest';
import {
  candidates,
  type PartitionerOptions,
  singlePartition,
} from '../../../../agent/publish/partitioner.ts';
import type { TopicView } from '../../../../agent/publish/topic-view.ts';
import { between, seededRandom } from '../../../simulation/support/random.ts';
import { RACKS, someView } from './some-view.ts';

const KIB = 1024;

/** Two partitions on each broker: 0 and 3 in rack-a, 1 and 4 in rack-b, 2 and 5 in rack-c. */
const SIX = someView([1, 2, 3, 1, 2, 3]);

const always = (): boolean => true;

function setUp(options: Partial<PartitionerOptions> = {}) {
  const clock = { ms: 0, nowMs: () => clock.ms, monotonicMs: () => clock.ms, sleep: () => Promise.resolve() };
  const partitioner = singlePartition({
    rack: 'rack-a',
    mode: 'prefer',
    stickyMs: 1_000,
    stickyBytes: 100 * KIB,
    clock,
    random: seededRandom(1),
    ...options,
  });
  return { clock, partitioner };
}

describe('candidates', () => {
  test('prefer: those led in the rack', () => {
    expect(candidates(SIX, { rack: 'rack-b', mode: 'prefer' })).toEqual([1, 4]);
  });

  test('prefer: all with a leader when the rack leads none', () => {
    expect(candidates(someView([2, 3, -1, 2]), { rack: 'rack-a', mode: 'prefer' })).toEqual([0, 1, 3]);
  });

  test('require: none when the rack leads none', () => {
    expect(candidates(someView([2, 3, -1, 2]), { rack: 'rack-a', mode: 'require' })).toEqual([]);
  });

  test.each(['prefer', 'require', 'ignore'] as const)(
    '%s, and the rack of the agent is not known: all with a leader',
    (mode) => {
      expect(candidates(someView([1, -1, 3]), { rack: undefined, mode })).toEqual([0, 2]);
    },
  );

  test('ignore: all with a leader', () => {
    expect(candidates(SIX, { rack: 'rack-a', mode: 'ignore' })).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('a leader that is not among the brokers of the same metadata does not count', () => {
    expect(candidates(someView([1, 2, 3, 1], [1]), { rack: 'rack-a', mode: 'prefer' })).toEqual([1, 2]);
  });

  test('partition numbers, not places in a list: the skip of leaderless ones shifts nothing', () => {
    expect(candidates(someView([-1, -1, 3, -1, 3]), { rack: 'rack-c', mode: 'prefer' })).toEqual([2, 4]);
  });
});

describe('staying', () => {
  test('on one partition for its time, then on another one', () => {
    const { clock, partitioner } = setUp();
    const first = partitioner.choose(SIX, always)!;
    expect(first.moved).toBe('first');
    for (clock.ms = 100; clock.ms < 1_000; clock.ms += 100) {
      expect(partitioner.choose(SIX, always)).toEqual({ partition: first.partition, moved: undefined });
    }
    const second = partitioner.choose(SIX, always)!;
    expect(second.moved).toBe('time');
    expect(new Set([first.partition, second.partition])).toEqual(new Set([0, 3]));
  });

  test('for its bytes: the batch that reaches the limit still goes to the old one', () => {
    const { partitioner } = setUp({ stickyBytes: 100 * KIB });
    const moves = Array.from({ length: 11 }, () => {
      const { moved } = partitioner.choose(SIX, always)!;
      partitioner.took(20 * KIB);
      return moved;
    });
    expect(moves).toEqual([
      'first',
      ...Array.from({ length: 4 }, () => undefined),
      'bytes',
      ...Array.from({ length: 4 }, () => undefined),
      'bytes',
    ]);
  });

  test('where there is only one partition, its time over does not count as a move', () => {
    const { clock, partitioner } = setUp();
    const one = someView([1, 2, 3]);
    expect(partitioner.choose(one, always)!.partition).toBe(0);
    clock.ms = 5_000;
    expect(partitioner.choose(one, always)).toEqual({ partition: 0, moved: undefined });
  });
});

describe('moving', () => {
  test('the leader goes to another rack: on to a partition that the rack leads', () => {
    const { partitioner } = setUp();
    const { partition } = partitioner.choose(SIX, always)!;
    const leaders = [1, 2, 3, 1, 2, 3];
    leaders[partition] = 2;
    expect(partitioner.choose(someView(leaders), always)).toEqual({
      partition: partition === 0 ? 3 : 0,
      moved: 'left-rack',
    });
  });

  test('the leader disappears: on to another partition', () => {
    const { partitioner } = setUp();
    const { partition } = partitioner.choose(SIX, always)!;
    const leaders = [1, 2, 3, 1, 2, 3];
    leaders[partition] = -1;
    expect(partitioner.choose(someView(leaders), always)!.moved).toBe('no-leader');
  });

  test('the broker gets nothing through: on to another partition of the rack', () => {
    const { partitioner } = setUp();
    const { partition } = partitioner.choose(SIX, always)!;
    expect(partitioner.choose(SIX, (p) => p !== partition)).toEqual({
      partition: partition === 0 ? 3 : 0,
      moved: 'unhealthy',
    });
  });

  test('no partition has a leader: nothing can be chosen, and later the draw goes on', () => {
    const { partitioner } = setUp();
    expect(partitioner.choose(someView([-1, -1]), always)).toBeUndefined();
    expect(partitioner.choose(SIX, always)!.moved).toBe('first');
  });

  test('require: with the whole rack in trouble the lines wait', () => {
    const { partitioner } = setUp({ mode: 'require' });
    expect(partitioner.choose(SIX, (p) => p !== 0 && p !== 3)).toBeUndefined();
    expect(partitioner.choose(someView([2, 2, 2]), always)).toBeUndefined();
  });

  test('prefer: with the whole rack in trouble they cross to another one, and stay on one partition there', () => {
    const { partitioner } = setUp();
    partitioner.choose(SIX, always);
    const notNear = (p: number): boolean => p !== 0 && p !== 3;
    const away = partitioner.choose(SIX, notNear)!;
    expect(away.moved).toBe('unhealthy');
    expect([1, 2, 4, 5]).toContain(away.partition);
    for (let i = 0; i < 20; i += 1) {
      expect(partitioner.choose(SIX, notNear)).toEqual({ partition: away.partition, moved: undefined });
    }
  });

  test('prefer: and come back as soon as one of the rack is well again', () => {
    const { partitioner } = setUp();
    const away = partitioner.choose(SIX, (p) => p !== 0 && p !== 3)!;
    expect([1, 2, 4, 5]).toContain(away.partition);
    expect(partitioner.choose(SIX, (p) => p !== 0)).toEqual({ partition: 3, moved: 'left-rack' });
  });

  test('never across racks while the rack leads a partition that gets its batches through', () => {
    const random = seededRandom(20260704);
    const { clock, partitioner } = setUp({ random });
    for (let step = 0; step < 5_000; step += 1) {
      clock.ms += Math.floor(random() * 400);
      const leaders = Array.from({ length: 9 }, () => Math.floor(random() * 4) || -1);
      const sick = new Set(leaders.flatMap((_, p) => (random() < 0.3 ? [p] : [])));
      const usable = (p: number): boolean => !sick.has(p);
      const near = leaders.flatMap((leader, p) => (leader === 1 && usable(p) ? [p] : []));
      const led = leaders.flatMap((leader, p) => (leader !== -1 && usable(p) ? [p] : []));
      const allowed: (number | undefined)[] = [near, led, [undefined]].find((list) => list.length > 0)!;
      const choice = partitioner.choose(someView(leaders), usable)?.partition;
      expect(allowed).toContain(choice);
    }
  });
});

describe('a fleet', () => {
  test('a thousand agents over three racks spread evenly over the partitions of each rack', () => {
    const random = seededRandom(42);
    // 60 partitions, 20 led in each rack.
    const view = someView(Array.from({ length: 60 }, (_, p) => (p % 3) + 1));
    const draws = 10;
    const counts = Array.from({ length: 60 }, () => 0);
    for (let agent = 0; agent < 1_000; agent += 1) {
      const { clock, partitioner } = setUp({ rack: RACKS[agent % 3]!, random });
      for (let draw = 0; draw < draws; draw += 1) {
        const { partition } = partitioner.choose(view, always)!;
        expect(partition % 3).toBe(agent % 3);
        counts[partition]! += 1;
        clock.ms += 1_000;
      }
    }
    for (const rack of [0, 1, 2]) {
      const mine = counts.filter((_, p) => p % 3 === rack);
      const expected = mine.reduce((sum, n) => sum + n, 0) / mine.length;
      const chiSquare = mine.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
      // The 0.1 % point of chi-square with 19 degrees of freedom (NIST/SEMATECH e-Handbook, table 1.3.6.7.4).
      expect(chiSquare, `rack ${rack}: ${mine.join(' ')}`).toBeLessThan(43.82);
    }
  });

  const FLEET_SEED = 20261122;

  test(`its bytes spread evenly and stay in their racks, over an election and back (seed ${FLEET_SEED})`, () => {
    const random = seededRandom(FLEET_SEED);
    const stickyMs = 30_000;
    const longestStepMs = 15_000;
    const phaseMs = 600_000;
    // Two brokers in each rack, ten partitions led by each; for ten minutes those of broker 1 are led elsewhere.
    const before = sixBrokers((p) => (p % 6) + 1);
    const without = sixBrokers((p) => (p % 6 === 0 ? 2 + ((p / 6) % 2) : (p % 6) + 1));
    const phases = [before, without, before];
    const hosts = Array.from({ length: 1_000 }, (_, i) => {
      const rack = RACKS[i % 3]!;
      const { clock, partitioner } = setUp({ rack, stickyMs, stickyBytes: 1024 ** 4, random });
      return {
        rack,
        clock,
        partitioner,
        bytesPerMs: between(random, 5, 200),
        view: before,
        crossed: [0, 0, 0],
      };
    });
    let total = 0;
    let crossed = 0;
    for (const [phase, truth] of phases.entries()) {
      const perPartition = Array.from({ length: 60 }, () => 0);
      for (const host of hosts) {
        while (host.clock.ms < (phase + 1) * phaseMs) {
          const stepMs = between(random, 5_000, longestStepMs);
          const { partition } = host.partitioner.choose(host.view, always)!;
          const bytes = stepMs * host.bytesPerMs;
          host.partitioner.took(bytes);
          total += bytes;
          if (rackOf(truth, partition) !== host.rack) {
            // The host did not know yet. The old leader refuses, the host asks who leads, and the batch crosses.
            host.crossed[phase]! += 1;
            crossed += bytes;
          }
          host.view = truth;
          // Who was drawn before the election may stay for the rest of its time.
          if (host.clock.ms > phase * phaseMs + stickyMs) perPartition[partition]! += bytes;
          host.clock.ms += stepMs;
        }
      }
      for (const rack of RACKS) {
        const led = perPartition.filter((_, p) => rackOf(truth, p) === rack);
        const mean = led.reduce((sum, bytes) => sum + bytes, 0) / led.length;
        // A host holds a partition for at most stickyMs and a step, with chance 1/n for each: a binomial's deviation.
        const holdMs = stickyMs + longestStepMs;
        const squares = hosts.reduce((sum, h) => sum + (h.rack === rack ? h.bytesPerMs ** 2 : 0), 0);
        const share = 1 / led.length;
        const deviation = Math.sqrt(squares * holdMs * phaseMs * share * (1 - share));
        for (const bytes of led) expect(Math.abs(bytes - mean)).toBeLessThan(4.5 * deviation);
        expect(4.5 * deviation, 'the bound is worth something').toBeLessThan(0.5 * mean);
      }
    }
    expect(hosts.map((host) => host.crossed[0]).filter((n) => n !== 0)).toEqual([]);
    expect(Math.max(...hosts.flatMap((host) => host.crossed))).toBe(1);
    expect(crossed / total).toBeLessThan(0.005);
  });
});

/** 60 partitions on brokers 1 to 6: 1 and 4 in rack-a, 2 and 5 in rack-b, 3 and 6 in rack-c. */
function sixBrokers(leader: (partition: number) => number): TopicView {
  const view = someView(Array.from({ length: 60 }, (_, p) => leader(p)));
  const brokers = new Map(
    Array.from({ length: 6 }, (_, i) => [
      i + 1,
      { nodeId: i + 1, host: `b${i + 1}`, port: 9092, rack: RACKS[i % 3]! },
    ]),
  );
  return { ...view, brokers };
}

function rackOf(view: TopicView, partition: number): string | null | undefined {
  return view.brokers.get(view.partitions[partition]!.leader)?.rack;
}
