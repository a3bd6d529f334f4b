import { expect, it } from 'vitest';
import { between } from '../support/random.ts';
import { createWorld, TOPIC, workerConfig } from './world.ts';

const SEEDS = Array.from({ length: 8 }, (_, i) => i + 1);
const PATIENCE_MS = 10 * 60_000;

/**
 * What Kafka had and lost is stored; what it still has may come twice, because nobody can tell where the logs part.
 * But what it has instead must not be taken for what was there before.
 */
it.each(SEEDS)(
  'a log that is cut off by an unclean election: nothing is missed or taken back, seed %i',
  async (seed) => {
    const world = createWorld(seed, { partitions: 1 });
    const { random, clock } = world;
    const committed = async (): Promise<void> => {
      const untilMs = clock.monotonicMs() + PATIENCE_MS;
      while (!world.isCommitted() && clock.monotonicMs() < untilMs) await clock.advance(1000);
      expect(world.isCommitted()).toBe(true);
    };
    let { life } = world.start(workerConfig(random));
    for (let batch = 0; batch < 20; batch += 1) await world.produce(0);
    await committed();
    const before = new Map(world.store.objects);
    if (seed % 2 === 0) life.kill();
    world.cutOff(0, between(random, 5, world.partitions[0]!.end - 10));
    await world.produce(0);
    if (seed % 2 === 0) ({ life } = world.start(workerConfig(random)));
    await committed();
    for (let batch = 0; batch < 20; batch += 1) await world.produce(0);
    await committed();
    expect(world.problems().filter((problem) => problem.includes('are in no object'))).toEqual([]);
    // So that a chunk of the same offsets as before is not taken for that one.
    const [found] = world.group.fetch([{ topic: TOPIC, partition: 0 }]);
    expect(found?.metadata).toMatch(/"log":"topic-1\.\d+"/);
    expect(world.failures).toEqual([]);
    expect([...before].filter(([name, lines]) => world.store.objects.get(name) !== lines)).toEqual([]);
  },
);
