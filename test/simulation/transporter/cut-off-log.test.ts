import { describe, expect, it } from 'vitest';
import { type Logger, silentLogger } from '../../../shared/telemetry/logger.ts';
import { between } from '../support/random.ts';
import { seedsToRun } from '../support/seeds.ts';
import { anyLayout, createWorld, type RunningWorker, TOPIC, type World, workerConfig } from './world.ts';

const SEEDS = seedsToRun(24);
const PATIENCE_MS = 10 * 60_000;

/** What was said at ERROR. */
function listener(): { said: unknown[]; logger: Logger } {
  const said: unknown[] = [];
  const logger: Logger = {
    ...silentLogger,
    error: (fields: unknown) => void said.push(fields),
    child: () => logger,
  };
  return { said, logger };
}

async function committed({ clock, isCommitted }: World, isNoticed = () => true): Promise<void> {
  const untilMs = clock.monotonicMs() + PATIENCE_MS;
  while (!(isCommitted() && isNoticed()) && clock.monotonicMs() < untilMs) await clock.advance(1000);
  expect(isCommitted()).toBe(true);
}

describe('a log that is cut off by an unclean election, in a simulation', () => {
  it.each(SEEDS)('is carried on exactly where it parts, and what is lost is said: seed %i', async (seed) => {
    const { said, logger } = listener();
    const world = createWorld(seed, { partitions: 1 }, logger);
    const { random, partitions } = world;
    const log = partitions[0]!;
    let { life } = world.start(workerConfig(random));
    const expected: unknown[] = [];
    for (let election = 0; election < 3; election += 1) {
      for (let batch = 0; batch < 20; batch += 1) {
        await world.produce(0);
        if (random() < 0.1) world.moveLeader(0);
      }
      await committed(world);
      const carriedTo = log.end;
      const isDown = random() < 0.5;
      if (isDown) life.kill();
      world.cutOff(0, between(random, 5, log.end - 1));
      const fields = { truncatedFrom: log.end, truncatedTo: carriedTo };
      expected.push({ topic: TOPIC, partition: 0, ...fields, truncatedOffsets: carriedTo - log.end });
      // Fewer than were lost, or more: then the offset that was committed is inside of the log.
      for (let batch = 0; batch < between(random, 0, 20); batch += 1) await world.produce(0);
      if (isDown) ({ life } = world.start(workerConfig(random)));
      // The log may end where it ended before, and then all seems to be committed.
      await committed(world, () => said.length >= expected.length);
    }
    expect(said).toEqual(expected);
    expect(world.problems()).toEqual([]);
  });

  it.each(SEEDS)(
    'is carried again where no epoch is known, and nothing is taken back: seed %i',
    async (seed) => {
      const world = createWorld(seed, { partitions: 1 });
      const { random, group } = world;
      world.forgetEpochs();
      let { life } = world.start(workerConfig(random));
      for (let batch = 0; batch < 20; batch += 1) await world.produce(0);
      await committed(world);
      const before = new Map(world.store.objects);
      if (seed % 2 === 0) life.kill();
      world.cutOff(0, between(random, 5, world.partitions[0]!.end - 10));
      await world.produce(0);
      if (seed % 2 === 0) ({ life } = world.start(workerConfig(random)));
      await committed(world);
      for (let batch = 0; batch < 20; batch += 1) await world.produce(0);
      await committed(world);
      expect(world.problems().filter((problem) => problem.includes('are in no object'))).toEqual([]);
      // So that a chunk of the same offsets as before is not taken for that one.
      expect(group.fetch([{ topic: TOPIC, partition: 0 }])[0]?.metadata).toMatch(/"log":"topic-1\.e1"/);
      expect(world.failures).toEqual([]);
      expect([...before].filter(([name, lines]) => world.store.objects.get(name) !== lines)).toEqual([]);
    },
  );

  it.each(SEEDS)('is carried once whatever happens around it: seed %i', async (seed) => {
    const world = createWorld(seed, { partitions: 2 });
    const { random, clock, partitions } = world;
    const start = (worker: number): RunningWorker =>
      world.start({ ...workerConfig(random, anyLayout(random)), member: `worker-${worker}` });
    const running = [0, 1].map(start);
    for (let step = 0; step < 60; step += 1) {
      const partition = between(random, 0, 1);
      for (let batch = 0; batch < 3; batch += 1) await world.produce(partition);
      const chance = random();
      if (chance < 0.1) {
        const worker = between(random, 0, 1);
        running[worker]!.life.kill();
        running[worker] = start(worker);
      } else if (chance < 0.2) world.moveLeader(partition);
      else if (chance < 0.3) world.cutOff(partition, between(random, 0, partitions[partition]!.end));
      await clock.advance(between(random, 0, 3000));
    }
    await committed(world);
    expect(world.problems()).toEqual([]);
  });
});
