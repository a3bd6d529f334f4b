import { expect, it } from 'vitest';
import { runScenario, seeds } from './scenario.ts';

it('a process killed at any moment, with lost requests and answers, refusals and moving leaders: every line once, in order', async () => {
  for (const seed of seeds(300)) {
    const wrong = await runScenario(seed);
    expect(wrong, `seed ${seed}`).toEqual({ missing: [], doubled: [], disordered: [], strange: 0 });
  }
});
