import { expect, it } from 'vitest';
import { seedsToRun } from '../support/seeds.ts';
import type { Verdict } from './judge.ts';
import type { Family } from './plan.ts';
import { explain, runSeed } from './run-seed.ts';

const NOTHING_WRONG: Verdict = {
  missing: [],
  doubled: [],
  strange: [],
  disordered: [],
  uncountedBytes: 0,
  overcountedBytes: 0,
  wronglyCountedBytes: 0,
};
const PER_TEST = 200;

/** Runs the seeds of a family in tests of some hundreds; `forgive` is what of a verdict the family does not look at. */
export function runFamily(family: Family, count: number, forgive: Partial<Verdict> = {}): void {
  const all = seedsToRun(count);
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
