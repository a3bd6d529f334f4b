/**
 * Which seeds a test runs. SKALD_SEED=n replays one; SKALD_SEEDS=100000 runs so many of each kind instead of the usual
 * number, for a night or a change that touches much.
 */
import { expect, it } from 'vitest';
import type { Verdict } from './judge.ts';
import type { Family } from './plan.ts';
import { explain, runSeed } from './run-seed.ts';

const ONE = process.env['SKALD_SEED'];
const MANY = process.env['SKALD_SEEDS'];

function seeds(count: number): number[] {
  if (ONE !== undefined) return [Number(ONE)];
  return Array.from({ length: MANY === undefined ? count : Number(MANY) }, (_, i) => i + 1);
}

const NOTHING_WRONG: Verdict = {
  missing: [],
  doubled: [],
  strange: [],
  disordered: [],
  uncountedBytes: 0,
  wronglyCountedBytes: 0,
};
const PER_TEST = 200;

/** Runs the seeds of a family in tests of some hundreds; `forgive` is what of a verdict the family does not look at. */
export function runFamily(family: Family, count: number, forgive: Partial<Verdict> = {}): void {
  const all = seeds(count);
  for (let from = 0; from < all.length; from += PER_TEST) {
    const some = all.slice(from, from + PER_TEST);
    it(`seeds ${some[0]} to ${some.at(-1)}`, { timeout: 10_000 + some.length * 2_000 }, async () => {
      for (const seed of some) {
        const { plan, history, verdict } = await runSeed(seed, family);
        const judged = { ...verdict, ...forgive };
        expect(judged, `a failing ${explain(plan, history, judged)}`).toEqual(NOTHING_WRONG);
      }
    });
  }
}
