import { describe, expect, it } from 'vitest';
import { between } from '../support/random.ts';
import { createWorld, type World, workerConfig } from './world.ts';

const SEEDS = Array.from({ length: 24 }, (_, i) => i + 1);
const PATIENCE_MS = 10 * 60_000;
/** Longer than the slowest straggler. */
const AFTERMATH_MS = 150_000;

async function produce(world: World, batches: number): Promise<void> {
  for (let batch = 0; batch < batches; batch += 1) {
    await world.produce(batch % 2);
    await world.clock.advance(between(world.random, 0, 500));
  }
}

/** All records are of one hour, so that the objects of the topics want the same names. */
async function remake(seed: number): Promise<World> {
  const world = createWorld(seed, { partitions: 2 });
  const { random, clock } = world;
  const config = (): ReturnType<typeof workerConfig> => ({
    ...workerConfig(random, { format: 'jsonl' }),
    startFrom: seed % 4 === 0 ? 'latest' : 'earliest',
  });
  let running = world.start(config());
  await clock.advance(5000); // with `latest` it has its offsets
  for (let topic = 0; topic < 2; topic += 1) {
    await produce(world, between(random, 10, 40));
    const isWatched = seed % 4 === 0 || random() < 0.5;
    if (!isWatched) running.life.kill();
    world.remakeTopic({ forgetOffsets: random() < 0.7 });
    await produce(world, between(random, 1, 20)); // before anyone can have noticed
    if (!isWatched) running = world.start(config());
  }
  await produce(world, 20);
  const untilMs = clock.monotonicMs() + PATIENCE_MS;
  while (!world.isCommitted() && clock.monotonicMs() < untilMs) await clock.advance(1000);
  await clock.advance(AFTERMATH_MS);
  return world;
}

describe('a topic that is deleted and made anew, in a simulation', () => {
  let spareNames = 0;
  it.each(SEEDS)(
    'is carried from its beginning, and nothing of the topic before is written over: seed %i',
    async (seed) => {
      const world = await remake(seed);
      expect(world.isCommitted()).toBe(true);
      // What one topic has finished says nothing of the next one of its name.
      const problems = world.problems().filter((problem) => !problem.includes('_SUCCESS does not list'));
      expect(problems).toEqual([]);
      spareNames += [...world.store.objects.keys()].filter((name) => /-\d+-[0-9a-f]{12}\./.test(name)).length;
    },
  );

  it('had objects of two topics that wanted one name, or it proves little', () => {
    expect(spareNames).toBeGreaterThan(SEEDS.length / 2);
  });
});
