import { describe, expect, it } from 'vitest';
import { between } from '../support/random.ts';
import { createWorld, TIME_INSIDE, type World, workerConfig } from './world.ts';

const PATIENCE_MS = 10 * 60_000;
/** Longer than the slowest straggler. */
const AFTERMATH_MS = 150_000;
const MAX_STEPS = 200;

/** What Kafka does to the partition while no worker looks. */
const DELETIONS: Record<string, (world: World) => void> = {
  compaction: (world) => world.compact(0, 0.4),
  retention: (world) => {
    const { logStart, end } = world.partitions[0]!;
    world.deleteBefore(0, between(world.random, logStart, end));
  },
};

/** A worker is killed (or, at even steps, frozen) at its n-th commit or put, with n the seed; Kafka deletes records, and another worker takes over. */
async function strikeAndDelete(
  seed: number,
  deletion: (world: World) => void,
): Promise<{ world: World; isStruck: boolean }> {
  const world = createWorld(seed, { partitions: 1 });
  const { random, clock, network } = world;
  const victim = world.start(workerConfig(random, { format: 'jsonl', time: TIME_INSIDE }));
  const moment = random() < 0.5 ? 'before' : 'after';
  let steps = 0;
  network.spy = (life, name, now) => {
    if (life !== victim.life || now !== moment || (name !== 'commit' && name !== 'put')) return;
    steps += 1;
    if (steps !== seed) return;
    if (seed % 2 === 1) life.kill();
    else life.freeze(clock.monotonicMs());
  };
  for (let batch = 0; batch < 20; batch += 1) {
    await world.produce(0);
    await clock.advance(500);
  }
  deletion(world);
  world.start(workerConfig(random, { prefix: 'logs-2' }));
  await world.produce(0);
  const untilMs = clock.monotonicMs() + PATIENCE_MS;
  while (!world.isCommitted() && clock.monotonicMs() < untilMs) await clock.advance(1000);
  victim.life.thaw();
  await clock.advance(AFTERMATH_MS);
  return { world, isStruck: steps >= seed };
}

describe('records that Kafka deletes between an intent and its replay, in a simulation', () => {
  it.each(Object.entries(DELETIONS))(
    'by %s: none comes twice, and none that was stored is taken back, whatever step the worker was struck at',
    async (_, deletion) => {
      for (let [seed, struck] = [1, true]; struck; seed += 1) {
        const { world, isStruck } = await strikeAndDelete(seed, deletion);
        struck = isStruck;
        expect(seed).toBeLessThan(MAX_STEPS);
        expect({ seed, committed: world.isCommitted() }).toEqual({ seed, committed: true });
        expect({ seed, problems: world.problems() }).toEqual({ seed, problems: [] });
      }
    },
  );
});
