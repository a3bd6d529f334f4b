import { describe, expect, it } from 'vitest';
import { runSeed } from './run-seed.ts';
import { runFamily } from './seeds.ts';

describe('power cuts with unsynced journals, full disks, flipped bits, forgotten producers, recreated topics: no line is lost', () => {
  runFamily('at-least-once', 600, {
    doubled: [],
    disordered: [],
    uncountedBytes: 0,
    overcountedBytes: 0,
    wronglyCountedBytes: 0,
  });

  it('and the damage is such that lines do come twice', async () => {
    let doubled = 0;
    for (let seed = 1; seed <= 20; seed += 1) {
      doubled += (await runSeed(seed, 'at-least-once')).verdict.doubled.length;
    }
    expect(doubled).toBeGreaterThan(0);
  });
});
