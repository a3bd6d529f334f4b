import { expect, it } from 'vitest';
import { runScenario, seeds } from './scenario.ts';

it('a power cut at any moment with fsync always: every line once, in order', async () => {
  for (const seed of seeds(100)) {
    const wrong = await runScenario(seed, { fsync: 'always', powerCuts: true });
    expect(wrong, `seed ${seed}`).toEqual({ missing: [], doubled: [], disordered: [], strange: 0 });
  }
});

it.each(['interval', 'never'] as const)(
  'a power cut at any moment with fsync %s: no line is lost',
  async (fsync) => {
    let doubled = 0;
    for (const seed of seeds(100)) {
      const wrong = await runScenario(seed, { fsync, powerCuts: true });
      expect({ missing: wrong.missing, strange: wrong.strange }, `seed ${seed}`).toEqual({
        missing: [],
        strange: 0,
      });
      doubled += wrong.doubled.length;
    }
    // Otherwise the cuts took nothing that mattered, and this test would prove nothing.
    expect(doubled).toBeGreaterThan(0);
  },
);
