import { describe, expect, it } from 'vitest';
import { runScenario, seeds } from './scenario.ts';

it('a power cut at any moment with fsync always: every line once, in order', async () => {
  for (const seed of seeds(100)) {
    const wrong = await runScenario(seed, { fsync: 'always', powerCuts: true });
    expect(wrong, `seed ${seed}`).toEqual({ missing: [], doubled: [], disordered: [], strange: 0 });
  }
});

describe.each(['interval', 'never'] as const)('a power cut at any moment with fsync %s', (fsync) => {
  it('every line once: what the journal lacks is found in the topic', async () => {
    for (const seed of seeds(100)) {
      const { missing, doubled, strange } = await runScenario(seed, { fsync, powerCuts: true });
      expect({ missing, doubled, strange }, `seed ${seed}`).toEqual({ missing: [], doubled: [], strange: 0 });
    }
  });

  it('where a reboot cannot be noticed: no line is lost', async () => {
    let doubledLines = 0;
    for (const seed of seeds(30)) {
      const options = { fsync, powerCuts: true, hasBootId: false };
      const { missing, doubled, strange } = await runScenario(seed, options);
      expect({ missing, strange }, `seed ${seed}`).toEqual({ missing: [], strange: 0 });
      doubledLines += doubled.length;
    }
    // Otherwise the cuts took nothing that mattered, and the test before this one would prove nothing.
    expect(doubledLines).toBeGreaterThan(0);
  });
});
