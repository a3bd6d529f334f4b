import { describe, expect, it } from 'vitest';
import type { TransporterConfig } from '../../../shared/config/transporter-config.ts';
import { createWorld, type RunningWorker, type World, workerConfig } from './world.ts';

const PARTITIONS = 6;
const MANY = 2000;
/** Half a minute of a core. */
const MANY_TIMEOUT_MS = 900_000;
const LIMIT_BYTES = 64 * 1024;
/** One answer may be under way from each of the three brokers, and one batch may be larger than was asked for. */
const OVERDRAFT_BYTES = 3 * 4096;

/** Chunks that nothing but memory cuts. */
function config(world: World, memoryBytes = LIMIT_BYTES): TransporterConfig {
  const base = workerConfig(world.random);
  const chunk = { maxBytes: 1 << 30, maxAgeMs: 86_400_000, bucketGraceMs: 86_400_000 };
  return {
    ...base,
    topics: base.topics.map((topic) => ({ ...topic, chunk })),
    limits: { memoryBytes, decodeThreads: 1 },
  };
}

async function produceMuch(world: World): Promise<void> {
  for (let batch = 0; batch < 1200; batch += 1) await world.produce(batch % PARTITIONS);
}

/** Virtual seconds, with the most that the worker held in between. */
async function watch(world: World, { worker }: RunningWorker, seconds: number): Promise<number> {
  let most = 0;
  for (let i = 0; i < seconds * 10; i += 1) {
    await world.clock.advance(100);
    most = Math.max(most, worker.budget.usedBytes - worker.budget.promisedBytes);
  }
  return most;
}

const storedRecords = (world: World): number => [...world.store.objects.values()].flat().length;

describe('the memory budget of a transporter, in a simulation', () => {
  it('cuts chunks early when it is nearly used up, and everything gets through', async () => {
    const world = createWorld(1, { partitions: PARTITIONS });
    const running = world.start(config(world));
    await produceMuch(world);
    expect(await watch(world, running, 120)).toBeLessThanOrEqual(LIMIT_BYTES + OVERDRAFT_BYTES);
    expect(storedRecords(world)).toBeGreaterThan(world.produced.length * 0.7);
    await running.worker.drain(AbortSignal.timeout(10_000));
  });

  it('holds while the store is down for an hour, and everything gets through afterwards', async () => {
    const world = createWorld(2, { partitions: PARTITIONS });
    const running = world.start(config(world));
    world.store.failures = 1;
    await produceMuch(world);
    const most = await watch(world, running, 3600);
    expect(most).toBeLessThanOrEqual(LIMIT_BYTES + OVERDRAFT_BYTES);
    expect(most).toBeGreaterThan(LIMIT_BYTES / 2);
    world.store.failures = 0;
    await watch(world, running, 120);
    expect(storedRecords(world)).toBeGreaterThan(world.produced.length * 0.7);
    const drained = running.worker.drain(new AbortController().signal);
    await world.clock.advance(60_000);
    await drained;
    expect(world.problems().filter((problem) => !problem.endsWith('is in no object'))).toEqual([]);
  });

  it(
    'lets all of 2,000 partitions with skewed traffic drain when the store has stood still',
    async () => {
      const world = createWorld(4, { partitions: MANY });
      const base = config(world, 4 * LIMIT_BYTES);
      const running = world.start({
        ...base,
        fetch: { ...base.fetch, maxBytes: 64 * 1024, maxPartitionBytes: 4096 },
      });
      world.store.failures = 1;
      // The partition of rank n has an n-th of what the first one has, and each has something.
      for (let rank = 1; rank <= MANY; rank += 1) {
        const batches = Math.max(1, Math.round(MANY / 4 / rank));
        for (let batch = 0; batch < batches; batch += 1) await world.produce(rank - 1);
      }
      await watch(world, running, 15);
      expect(await world.countsBy('skald_transporter_chunk_cuts_total', 'reason')).toHaveProperty('pressure');
      expect(world.committedOffset(0)).toBe(0);
      world.store.failures = 0;
      await watch(world, running, 15);
      const drained = running.worker.drain(new AbortController().signal);
      await world.clock.advance(30_000);
      await drained;
      expect(world.isCommitted()).toBe(true);
      expect(world.problems()).toEqual([]);
    },
    MANY_TIMEOUT_MS,
  );

  it('makes promised chunks again that are larger than all of it, one after the other', async () => {
    const world = createWorld(3, { partitions: PARTITIONS });
    await produceMuch(world);
    // A roomy worker promises large chunks and is killed before it has stored one of them.
    const roomy = config(world, 32 * 1024 * 1024);
    const first = world.start({
      ...roomy,
      topics: roomy.topics.map((topic) => ({ ...topic, chunk: { ...topic.chunk, maxAgeMs: 60_000 } })),
    });
    world.network.spy = (life, name) => {
      if (name === 'put') life.kill();
    };
    await watch(world, first, 120);
    expect([first.life.isDead, storedRecords(world)]).toEqual([true, 0]);
    world.network.spy = () => {};
    const tight = config(world, 16 * 1024);
    const second = world.start(tight);
    await watch(world, second, 600);
    expect(await world.counterOf('skald_transporter_replays_total')).toBeGreaterThan(1);
    const drained = second.worker.drain(new AbortController().signal);
    await world.clock.advance(60_000);
    await drained;
    expect(world.problems()).toEqual([]);
  });
});
