import { describe, expect, it } from 'vitest';
import { between } from '../support/random.ts';
import { createWorld, type World, workerConfig } from './world.ts';

/** After the last record and the last fault, all must be stored within this (virtual) time. */
const PATIENCE_MS = 30 * 60_000;

async function untilCommitted(world: World): Promise<void> {
  const untilMs = world.clock.monotonicMs() + PATIENCE_MS;
  while (!world.isCommitted() && world.clock.monotonicMs() < untilMs) await world.clock.advance(1000);
}

async function end(world: World): Promise<void> {
  for (const { life } of world.workers) life.kill();
  await world.clock.advance(10_000);
}

const living = (world: World) => world.workers.filter(({ life }) => !life.isDead);

/** Ten minutes of everything going wrong, then peace. */
export async function storm(seed: number): Promise<World> {
  const world = createWorld(seed, { partitions: 3 });
  const { random, clock, network, store } = world;
  const codec = random() < 0.3 ? ('gzip' as const) : ('none' as const);
  const prefix = () => (random() < 0.3 ? `logs-${between(random, 1, 3)}` : 'logs');
  network.faults = { lostRequests: 0.01, lostAnswers: 0.02, kills: 0.002, freezes: 0.001, stragglers: 0.005 };
  store.failures = 0.05;
  world.setRefusals(0.02);
  const fleet = between(random, 1, 3);
  for (let second = 0; second < 600; second += 1) {
    if (living(world).length < fleet && random() < 0.2)
      world.start(workerConfig(random, { codec, prefix: prefix() }));
    if (random() < 0.5) await world.produce(between(random, 0, 2));
    if (random() < 0.01) world.moveLeader(between(random, 0, 2));
    for (const { life } of living(world))
      if (life.frozenSinceMs !== undefined && random() < 0.05) life.thaw();
    await clock.advance(1000);
  }
  network.faults = { lostRequests: 0, lostAnswers: 0, kills: 0, freezes: 0, stragglers: 0 };
  store.failures = 0;
  world.setRefusals(0);
  for (const { life } of world.workers) life.thaw();
  if (living(world).length === 0) world.start(workerConfig(random, { codec }));
  await untilCommitted(world);
  // Zombies and stragglers may still write after everything is committed: it has to be the same.
  await clock.advance(150_000);
  return world;
}

describe('the transporter, in a simulation', () => {
  it.each(Array.from({ length: 40 }, (_, i) => 1000 + i))(
    'stores every record exactly once through storm %i',
    async (seed) => {
      const world = await storm(seed);
      expect(world.problems()).toEqual([]);
      expect(world.isCommitted()).toBe(true);
      await end(world);
    },
  );
});
