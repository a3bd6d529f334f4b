import { describe, expect, it } from 'vitest';
import { between } from '../support/random.ts';
import { seedsToRun } from '../support/seeds.ts';
import { successNames } from './judge-completeness.ts';
import { nameProblems } from './judge-names.ts';
import { NO_FAULTS } from './sim-network.ts';
import {
  anyLayout,
  createWorld,
  type RunningWorker,
  TIME_INSIDE,
  type World,
  workerConfig,
} from './world.ts';

const STORMS = seedsToRun(200);
/** So many meet every trouble. */
const ENOUGH_STORMS = 100;
const STORM_SECONDS = 300;
/** After the last record and the last fault, all must be stored within this (virtual) time. */
const PATIENCE_MS = 30 * 60_000;
/** Longer than the slowest straggler. */
const AFTERMATH_MS = 150_000;

async function until(world: World, what: string, isSo: () => boolean): Promise<void> {
  const untilMs = world.clock.monotonicMs() + PATIENCE_MS;
  while (!isSo()) {
    if (world.clock.monotonicMs() > untilMs) throw new Error(`not within 30 minutes: ${what}`);
    await world.clock.advance(1000);
  }
}

const living = (world: World): RunningWorker[] => world.workers.filter(({ life }) => !life.isDead);

/** A worker of a free place in the fleet, under that place's name and with a new file. */
function startOne(world: World, size: number): void {
  const taken = living(world).map(({ member }) => member);
  const free = Array.from({ length: size }, (_, i) => `worker-${i}`).filter((name) => !taken.includes(name));
  const member = free[between(world.random, 0, free.length - 1)]!;
  const config = workerConfig(world.random, anyLayout(world.random));
  world.start({ ...config, member, leaveOnStop: world.random() < 0.2 });
}

/** What SIGTERM does; whoever is killed or frozen meanwhile is so. */
async function stopOne({ clock }: World, { worker, life }: RunningWorker): Promise<void> {
  const patience = new AbortController();
  void clock.after(10_000).then(() => patience.abort());
  await worker.drain(patience.signal).catch(() => {}); // the world sees it
  await worker.close();
  life.kill();
}

/** Minutes of everything going wrong, then peace, then whatever zombies and stragglers still do. */
async function storm(seed: number): Promise<World> {
  const world = createWorld(seed, { partitions: 3 });
  const { random, clock, network, store } = world;
  const fleet = between(random, 1, 3);
  const stopping = new Set<RunningWorker>();
  network.faults = { lostRequests: 0.01, lostAnswers: 0.02, kills: 0.004, freezes: 0.002, stragglers: 0.01 };
  store.failures = 0.05;
  world.setRefusals(0.02);
  for (let second = 0; second < STORM_SECONDS; second += 1) {
    if (living(world).length < fleet && random() < 0.3) startOne(world, fleet);
    for (const running of living(world)) {
      if (random() >= 0.01 || stopping.has(running)) continue;
      stopping.add(running);
      void stopOne(world, running);
    }
    if (random() < 0.7) await world.produce(between(random, 0, 2));
    if (random() < 0.02) world.moveLeader(between(random, 0, 2));
    for (const { life } of living(world)) {
      if (life.frozenSinceMs !== undefined && random() < 0.1) life.thaw();
    }
    await clock.advance(1000);
  }
  network.faults = NO_FAULTS;
  store.failures = 0;
  world.setRefusals(0);
  for (const { life } of world.workers) life.thaw();
  // One place more, for when the last that live are about to stop.
  if (living(world).every((running) => stopping.has(running))) startOne(world, fleet + 1);
  await until(world, 'everything is committed', world.isCommitted);
  await clock.advance(AFTERMATH_MS);
  return world;
}

const isOfTheStorm = (name: string): boolean => name.includes('/hr=11/');

describe('a fleet of transporters, in a simulation', () => {
  const troubles = new Map<string, number>();
  const count = (trouble: string, times: number): void => {
    troubles.set(trouble, (troubles.get(trouble) ?? 0) + times);
  };

  it.each(STORMS)('stores every record exactly once through storm %i', async (seed) => {
    const world = await storm(seed);
    expect([...world.problems(), ...nameProblems(world), ...world.group.brokenPromises]).toEqual([]);
    expect(world.isCommitted()).toBe(true);
    count('storms', 1);
    count('replays', await world.counterOf('skald_transporter_replays_total'));
    count('fenced commits', world.group.fenced);
    count('returns of members', world.group.returns);
    count('objects that were there already', world.store.refusedPuts);
    count('quarantined records', await world.counterOf('skald_transporter_quarantined_records_total'));
    count('finished buckets', successNames(world.store).length);
    // Not in every one: the last worker's file may name another folder, without that hour, when the group begins to finish.
    count('hours that ended in the storm', Number(successNames(world.store).some(isOfTheStorm)));
    count('late records', await world.counterOf('skald_transporter_late_records_total'));
    for (const [fault, times] of Object.entries(world.network.happened)) count(fault, times);
  });

  it('was in every kind of trouble during the storms, or they prove little', ({ skip }) => {
    skip(STORMS.length < ENOUGH_STORMS || troubles.get('storms') !== STORMS.length, 'few storms were run');
    const rare = [...troubles].filter(([, times]) => times < STORMS.length / 2);
    expect(rare).toEqual([]);
    expect(troubles.size).toBe(14);
  });

  it.each([
    ['killed', 'before'],
    ['killed', 'after'],
    ['frozen', 'before'],
    ['frozen', 'after'],
  ] as const)(
    'stores every record once when a worker is %s %s each of its steps in turn',
    async (fate, moment) => {
      let struck = true;
      for (let step = 1; struck; step += 1) {
        const world = createWorld(step, { partitions: 1 });
        struck = await strikeAt(world, { step, fate, moment });
        expect({ step, problems: world.problems() }).toEqual({ step, problems: [] });
        if (step > 200) throw new Error('a worker with 40 batches does not take so many steps');
      }
    },
  );

  it('begins for good where it began first, when that is the end of the log', async () => {
    const world = createWorld(7, { partitions: 1 });
    const config = { ...workerConfig(world.random), startFrom: 'latest' as const };
    await world.produce(0);
    const before = world.produced.splice(0);
    const first = world.start(config);
    await until(world, 'the first worker has an offset', () => world.committedOffset(0) >= 0);
    first.life.kill();
    await world.produce(0);
    world.start(config);
    await until(world, 'the rest is committed', world.isCommitted);
    expect(before).not.toEqual([]);
    expect(world.problems()).toEqual([]);
  });
});

/** One worker, which is struck at its n-th commit or put, and another one that takes over. False when there are fewer steps. */
async function strikeAt(
  world: World,
  { step, fate, moment }: { step: number; fate: 'killed' | 'frozen'; moment: 'before' | 'after' },
): Promise<boolean> {
  const { random, clock, network } = world;
  const victim = world.start(workerConfig(random, { format: 'jsonl', time: TIME_INSIDE }));
  let steps = 0;
  network.spy = (life, name, now) => {
    if (life !== victim.life || now !== moment || (name !== 'commit' && name !== 'put')) return;
    steps += 1;
    if (steps !== step) return;
    if (fate === 'killed') life.kill();
    else life.freeze(clock.monotonicMs());
  };
  for (let batch = 0; batch < 40; batch += 1) {
    await world.produce(0);
    await clock.advance(500);
  }
  world.start(workerConfig(random, { prefix: 'logs-2' }));
  await until(world, 'everything is committed', world.isCommitted);
  victim.life.thaw();
  await clock.advance(AFTERMATH_MS);
  return steps >= step;
}
