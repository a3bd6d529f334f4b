import { describe, expect, it } from 'vitest';
import { seedsToRun } from '../support/seeds.ts';
import { successNames } from './judge-completeness.ts';
import { createWorld, type World, workerConfig } from './world.ts';

const HOUR_ENDS_MS = Date.parse('2026-01-01T12:00:00Z');
const PATIENCE_MS = 10 * 60_000;
/** Longer than the slowest straggler. */
const AFTERMATH_MS = 150_000;

async function until({ clock }: World, what: string, isSo: () => boolean): Promise<void> {
  const untilMs = clock.monotonicMs() + PATIENCE_MS;
  while (!isSo()) {
    if (clock.monotonicMs() > untilMs) throw new Error(`not within ten minutes: ${what}`);
    await clock.advance(100);
  }
}

/** Two workers and a topic of two partitions, when the first hour is about to be finished. */
async function atTheEndOfAnHour(seed: number): Promise<World> {
  const world = createWorld(seed, { partitions: 2 });
  const { random, clock } = world;
  for (const member of ['a', 'b']) {
    const config = workerConfig(random);
    world.start({ ...config, member, cluster: { ...config.cluster, metadataMaxAgeMs: 1000 } });
  }
  for (let batch = 0; batch < 20; batch += 1) {
    await world.produce(batch % 2);
    await clock.advance(1000);
  }
  return world;
}

const hasObjectOf =
  ({ store }: World, partition: number) =>
  (): boolean =>
    [...store.objects.keys()].some((name) => name.includes(`/hr=11/${partition}-`));

const isFinished = ({ store }: World): boolean =>
  successNames(store).some((name) => name.includes('/hr=11/'));

describe('a partition that is added while an hour is finished, in a simulation', () => {
  it.each(seedsToRun(12))(
    'is late for it when whoever finishes it has looked for partitions before, and is slow: seed %i',
    async (seed) => {
      const world = await atTheEndOfAnHour(seed);
      let added: number | undefined;
      let finisher: World['workers'][number]['life'] | undefined;
      world.network.spy = (life, name, moment) => {
        if (name !== 'list' || moment !== 'after' || finisher !== undefined) return;
        if (world.clock.nowMs() < HOUR_ENDS_MS) return;
        finisher = life;
        life.freeze(world.clock.monotonicMs());
        added = world.addPartition();
      };
      await until(world, 'a worker is about to finish the hour', () => added !== undefined);
      for (let batch = 0; batch < 5; batch += 1) await world.produce(added!, { ageMs: 600_000 });
      await until(world, 'records of the new partition are stored', hasObjectOf(world, added!));
      finisher!.thaw();
      await until(world, 'the hour is finished', () => isFinished(world));
      await until(world, 'everything is committed', world.isCommitted);
      await world.clock.advance(AFTERMATH_MS);
      expect(world.problems()).toEqual([]);
    },
  );

  it.each(seedsToRun(24))('is stored, and late or listed, whenever it is added: seed %i', async (seed) => {
    const world = await atTheEndOfAnHour(seed);
    const { random, clock } = world;
    await until(world, 'the hour ends', () => clock.nowMs() >= HOUR_ENDS_MS);
    for (let partition = 0; partition < 4; partition += 1) {
      await clock.advance(random() * 8_000);
      const added = world.addPartition();
      await world.produce(added, { ageMs: 60_000 });
    }
    await until(world, 'the hour is finished', () => isFinished(world));
    await until(world, 'everything is committed', world.isCommitted);
    await clock.advance(AFTERMATH_MS);
    expect(world.problems()).toEqual([]);
  });
});
