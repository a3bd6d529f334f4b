import type { FsyncPolicy } from '../../../agent/checkpoint/journal.ts';
import { between, seededRandom } from '../support/random.ts';
import { createHistory } from './history.ts';
import { BOOT_MS, createWorld, type World } from './world.ts';

/** One line to replay a failure: SKALD_SEED=<seed> npx vitest run --project simulation test/simulation/agent */
const ONLY_SEED = process.env['SKALD_SEED'];

export function seeds(count: number): number[] {
  return ONLY_SEED === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(ONLY_SEED)];
}

const ROUNDS = 60;

/** The application: appends lines, in pieces, to a few logs, and rotates them by renaming. */
function createWriter(world: World) {
  const { disk, random } = world;
  const written = new Map<string, number>();
  const unfinished = new Map<string, string>();
  const rotations = new Map<string, number>();

  const finish = (name: string): void => {
    disk.append(`/logs/${name}.log`, unfinished.get(name) ?? '');
    unfinished.delete(name);
  };
  return {
    written,
    write: (name: string, count: number): void => {
      finish(name);
      for (let i = 0; i < count; i += 1) {
        const seq = written.get(name) ?? 0;
        written.set(name, seq + 1);
        // Order is promised within a file, and a rotation begins a new one.
        const line = `${name} ${seq} ${rotations.get(name) ?? 0} ${'x'.repeat(between(random, 0, 90))}\n`;
        const cut = i === count - 1 && random() < 0.3 ? between(random, 0, line.length - 1) : line.length;
        disk.append(`/logs/${name}.log`, line.slice(0, cut));
        if (cut < line.length) unfinished.set(name, line.slice(cut));
      }
    },
    finish,
    rotate: (name: string): void => {
      finish(name); // an application that reopens its log has written the last line whole
      if (!disk.has(`/logs/${name}.log`)) return;
      rotations.set(name, (rotations.get(name) ?? 0) + 1);
      disk.rename(`/logs/${name}.log`, `/logs/${name}.log.${rotations.get(name)}`);
    },
  };
}

export interface Scenario {
  fsync?: FsyncPolicy['fsync'];
  /** Each death of the process is one of the machine: what was not synced is gone. */
  powerCuts?: boolean;
  /** The machine can tell one boot from another; true unless said otherwise. */
  hasBootId?: boolean;
}

/**
 * One seed: lines are written in pieces and files rotated while requests and answers are lost, brokers refuse, leaders
 * move and the process dies at any moment. Returns what is wrong in the topic when all has come to rest.
 */
export async function runScenario(
  seed: number,
  { fsync = 'interval', powerCuts = false, hasBootId = true }: Scenario = {},
) {
  const world = createWorld({ random: seededRandom(seed), history: createHistory(), fsync, hasBootId });
  const { random, broker, clock } = world;
  const writer = createWriter(world);
  const names = ['a', 'b', 'c'];
  world.start();
  for (let round = 0; round < ROUNDS; round += 1) {
    const name = names[between(random, 0, names.length - 1)]!;
    writer.write(name, between(random, 1, 40));
    if (random() < 0.1) writer.rotate(name);
    Object.assign(
      broker.faults,
      random() < 0.3
        ? { lostRequests: 0.2, lostAnswers: 0.2, refusals: 0.1 }
        : { lostRequests: 0, lostAnswers: 0, refusals: 0 },
    );
    if (random() < 0.1) broker.moveLeader(between(random, 0, 3), between(random, 1, 3));
    if (random() < 0.05) broker.moveLeader(between(random, 0, 3), -1);
    await clock.advance(between(random, 1, 150));
    if (random() < 0.25) {
      world.kill();
      if (powerCuts) {
        await clock.advance(5); // writes that were under way have ended, one way or the other
        world.cutPower();
        await clock.advance(BOOT_MS);
      }
      if (random() < 0.5) await clock.advance(between(random, 1, 500));
      world.start();
    }
    const [failure] = world.failures;
    if (failure !== undefined) throw new Error(`the pipeline ended in round ${round}`, { cause: failure });
  }

  for (const name of names) writer.finish(name);
  Object.assign(broker.faults, { lostRequests: 0, lostAnswers: 0, refusals: 0 });
  for (let partition = 0; partition < 4; partition += 1) broker.moveLeader(partition, (partition % 3) + 1);
  for (let waited = 0; waited < 600; waited += 1) {
    await clock.advance(100);
    if (waited > 20 && world.pipeline?.status().lagBytes === 0) break;
  }
  world.kill();

  return judge(world, writer.written);
}

/** What is wrong in the topic by the one simple model: each line once, and in order within a file and partition. */
function judge(world: World, written: ReadonlyMap<string, number>) {
  const counts = new Map<string, number>();
  const disordered: string[] = [];
  for (const [partition, lines] of world.lines().entries()) {
    const last = new Map<string, number>();
    for (const line of lines) {
      const [name, seq, file] = line.split(' ');
      const key = `${name} ${seq}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (Number(seq) <= (last.get(`${name} ${file}`) ?? -1))
        disordered.push(`${key} in partition ${partition}`);
      last.set(`${name} ${file}`, Number(seq));
    }
  }
  const expected = [...written].flatMap(([name, count]) =>
    Array.from({ length: count }, (_, seq) => `${name} ${seq}`),
  );
  const missing = expected.filter((key) => !counts.has(key));
  const doubled = [...counts].filter(([, count]) => count > 1).map(([key]) => key);
  return { missing, doubled, disordered, strange: counts.size - expected.length + missing.length };
}
