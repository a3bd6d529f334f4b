/**
 * The same small scenario again and again, and each time the process dies in the next one of its calls to the disk, the
 * journal, the brokers or the clock. So whatever lies between an intent and its commit is struck, without luck.
 */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../support/random.ts';
import { createHistory } from './history.ts';
import { judge } from './judge.ts';
import { createWorld, type World } from './world.ts';

const RIGHT = {
  missing: [],
  doubled: [],
  strange: [],
  disordered: [],
  uncountedBytes: 0,
  overcountedBytes: 0,
  wronglyCountedBytes: 0,
};
const TAIL_MS = 300;
const REST_MS = 3_000;

/** Two logs, one of them rotated, some lines in two pieces, and an answer that is lost. */
async function write(world: World): Promise<void> {
  const { clock, disk, broker } = world;
  let n = 0;
  const line = (name: string): string => `${name}.${(n += 1)} ${'x'.repeat((n * 7) % 60)}`;
  const lines = (name: string, count: number): string =>
    Array.from({ length: count }, () => `${line(name)}\n`).join('');
  disk.append('/logs/a.log', lines('a', 12));
  await clock.advance(40);
  disk.append('/logs/b.log', `${lines('b', 20)}${line('b')}`);
  await clock.advance(40);
  broker.faults.lostAnswers = 1;
  disk.append('/logs/b.log', `\n${lines('b', 3)}`);
  await clock.advance(60);
  broker.faults.lostAnswers = 0;
  disk.rename('/logs/a.log', '/logs/a.log.1');
  disk.append('/logs/a.log', lines('a', 15));
  await clock.advance(TAIL_MS);
}

/** One run: the n-th life dies in the given step of it, the one after the last lives. */
async function run(deaths: readonly number[], seed: number) {
  const history = createHistory();
  const world = createWorld({ random: seededRandom(seed), history });
  const start = (life: number): void => {
    const begun = world.start();
    const step = deaths[life];
    if (step === undefined) return;
    begun.killAtStep(step);
    begun.onDeath(() => {
      world.note(`killed in step ${step}`);
      void world.clock.after(10).then(() => start(life + 1));
    });
  };
  start(0);
  await write(world);
  const busy = world.pipeline?.status();
  const { steps } = world.life;
  await world.clock.advance(REST_MS);
  const verdict = await judge(world);
  const openIntents = world.pipeline?.status().openIntents;
  world.kill();
  const lagBytes = busy?.lagBytes;
  return { verdict, openIntents, steps, lagBytes, history: history.text };
}

/** Lets the last of several lives die in its step 1, 2, 3, … up to the one in which all has its acknowledgement. */
async function strikeEach(before: readonly number[]): Promise<number> {
  const undisturbed = await run(before, 0);
  expect(undisturbed.lagBytes).toBe(0);
  for (let step = 1; step <= undisturbed.steps; step += 1) {
    const deaths = [...before, step];
    const { verdict, openIntents, history } = await run(deaths, step);
    expect(verdict, `deaths in step ${deaths.join(' and then in step ')}\n${history}`).toEqual(RIGHT);
    expect(openIntents).toBe(0);
  }
  return undisturbed.steps;
}

describe('a process killed in each of its calls: every line once, in order', () => {
  it('in a life that finds and sends lines', { timeout: 120_000 }, async () => {
    // Fewer would mean that there was hardly anything to carry.
    expect(await strikeEach([])).toBeGreaterThan(50);
  });

  it.each([20, 30, 40, 50, 60])(
    'in the life that takes up what one killed in step %i left',
    { timeout: 120_000 },
    async (first) => {
      expect(await strikeEach([first])).toBeGreaterThan(30);
    },
  );
});
