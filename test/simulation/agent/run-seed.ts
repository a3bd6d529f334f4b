/** One seed: its plan, its world, and what is wrong in the topic when all has come to rest. */
import type { Random } from '../../../shared/clock.ts';
import { between, seededRandom } from '../support/random.ts';
import { application } from './application.ts';
import { HABITS } from './habits.ts';
import { createHistory, type History } from './history.ts';
import { judge, type Verdict } from './judge.ts';
import { drawPlan, type Family, type Plan } from './plan.ts';
import { DAMAGE, type Scene, TROUBLES } from './troubles.ts';
import { createWorld, type World, type WorldOptions } from './world.ts';

/** How long applications and troubles may take to finish what they have begun. */
const FINISH_MS = 200_000;
/** Nothing has happened for so long: all that was found is there. */
const REST_MS = 2_000;
/** Copies of what was truncated are looked for so long before it is counted as lost. */
const SEARCH_MS = 16_000;
/** Files outside of the globs are looked for once a minute. */
const LONG_REST_MS = 61_000;
/** Until everything must have arrived once nothing fails any more. */
const ARRIVE_MS = 300_000;

function slowFiles(plan: Plan, random: Random): NonNullable<WorldOptions['faults']> {
  return (clock) => ({
    delayMs: () => (plan.slowFiles && random() < 0.2 ? random() * 3 : 0),
    wait: (ms) => clock.after(ms),
    shortened: (length) => (plan.slowFiles && random() < 0.1 ? between(random, 1, length) : length),
  });
}

function heal({ broker, journal, life, failingFiles }: World): void {
  Object.assign(broker.faults, {
    lostRequests: 0,
    lostAnswers: 0,
    lateRequests: 0,
    refusals: 0,
    coordinatorLoading: false,
  });
  broker.network.down.clear();
  broker.network.hanging.clear();
  broker.network.delayMs = 0;
  broker.maxMessageBytes = 1_048_588;
  for (const partition of broker.partitions.keys()) broker.moveLeader(partition, (partition % 3) + 1);
  journal.failure = undefined;
  failingFiles.share = 0;
  if (life.frozen) life.thaw();
}

function failIfEnded(world: World): void {
  const [failure] = world.failures;
  if (failure !== undefined) throw new Error('the pipeline ended', { cause: failure });
}

async function comeToRest(world: World, restMs: number): Promise<void> {
  const { clock } = world;
  const stepMs = 500 * world.pace;
  for (let waitedMs = 0, restedMs = 0; restedMs < restMs; waitedMs += stepMs) {
    if (waitedMs > (ARRIVE_MS + restMs) * world.pace)
      throw new Error(`not at rest: ${JSON.stringify(world.pipeline?.status())}`);
    await clock.advance(stepMs);
    failIfEnded(world);
    const status = world.pipeline?.status();
    restedMs = status?.lagBytes === 0 && status.openIntents === 0 ? restedMs + stepMs : 0;
  }
}

async function live(plan: Plan, world: World, random: Random): Promise<void> {
  const { clock, disk } = world;
  const startedMs = clock.monotonicMs();
  const isOver = (): boolean => clock.monotonicMs() - startedMs >= plan.lengthMs * plan.pace;
  const scene: Scene = {
    world,
    get over() {
      return isOver();
    },
    pause: (fromMs, toMs) => clock.after(between(random, fromMs, toMs) * plan.pace),
    revive: async () => {
      if (random() < 0.5) await clock.after(between(random, 1, random() < 0.2 ? 5_000 : 400) * plan.pace);
      await clock.after(Math.max(0, world.upAtMs - clock.monotonicMs()));
      if (!world.life.alive) world.start();
    },
  };
  world.start();
  const applications = plan.habits.map((habit, i) =>
    HABITS[habit]!(
      application({
        name: `${habit}${i}`,
        disk,
        clock,
        random,
        pace: plan.pace,
        oddLines: plan.oddLines,
        isOver,
        note: world.note,
      }),
    ),
  );
  const troubles = plan.troubles.map((name) => (TROUBLES[name] ?? DAMAGE[name])!(scene));
  let ended = false;
  let failure: unknown;
  void Promise.all([...applications, ...troubles]).then(
    () => (ended = true),
    (error: unknown) => (failure = error),
  );
  while (!ended && failure === undefined) {
    if (clock.monotonicMs() - startedMs > (plan.lengthMs + FINISH_MS) * plan.pace) {
      throw new Error('applications and troubles do not end');
    }
    await clock.advance(200 * plan.pace);
    failIfEnded(world);
  }
  if (failure !== undefined) throw new Error('a part of the simulation failed', { cause: failure });
}

export interface Outcome {
  plan: Plan;
  history: History;
  verdict: Verdict;
  virtualMs: number;
  lines: number;
}

export async function runSeed(seed: number, family: Family): Promise<Outcome> {
  const random = seededRandom(seed);
  const plan = drawPlan(seed, family, random);
  const history = createHistory();
  const world = createWorld({
    random,
    history,
    fsync: plan.fsync,
    pace: plan.pace,
    faults: slowFiles(plan, random),
  });
  const startedMs = world.clock.monotonicMs();
  try {
    await live(plan, world, random);
    world.note('everything works again');
    heal(world);
    if (!world.life.alive) world.start();
    const searchMs = family === 'truncation' ? SEARCH_MS : 0;
    await comeToRest(world, (seed % 8 === 0 ? LONG_REST_MS : searchMs) + REST_MS * plan.pace);
    if ((await judge(world)).missing.length > 0)
      await comeToRest(world, LONG_REST_MS + 2 * REST_MS * plan.pace);
  } catch (error) {
    throw new Error(explain(plan, history, error), { cause: error });
  }
  const verdict = await judge(world);
  world.kill();
  const lines = world.broker.partitions.reduce((sum, { values }) => sum + values.length, 0);
  return { plan, history, verdict, virtualMs: world.clock.monotonicMs() - startedMs, lines };
}

const SHOWN = 6;

/** The first few of a list, and how many more there are. */
function shorten(_key: string, value: unknown): unknown {
  if (!Array.isArray(value) || value.length <= SHOWN) return value;
  return [...value.slice(0, SHOWN), `and ${value.length - SHOWN} more`];
}

/** What somebody who looks at a failing seed wants to know first. */
export function explain(plan: Plan, history: History, wrong: unknown): string {
  const { seed, family, fsync, habits, troubles, pace, oddLines, slowFiles } = plan;
  const what = wrong instanceof Error ? wrong.message : JSON.stringify(wrong, shorten, 2);
  return [
    `seed ${seed} (${family}): SKALD_SEED=${seed} npx vitest run --project simulation test/simulation/agent/${family}`,
    `applications: ${habits.join(', ')}; troubles: ${troubles.join(', ') || 'none'}`,
    `fsync ${fsync}, pace ${pace}${oddLines ? ', odd lines' : ''}${slowFiles ? ', slow files' : ''}`,
    what,
    'the last events:',
    history.text,
  ].join('\n');
}
