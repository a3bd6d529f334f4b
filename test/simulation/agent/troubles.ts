/** What happens to the process, its disks and its brokers while applications write. Each runs until it is over. */
import { between } from '../support/random.ts';
import type { World } from './world.ts';

export interface Scene {
  world: World;
  readonly over: boolean;
  pause(fromMs: number, toMs: number): Promise<void>;
  /** Starts the agent again after a death, sooner or later. */
  revive(): Promise<void>;
}

export type Trouble = (scene: Scene) => Promise<void>;

/** Does something for a while, now and then. */
async function nowAndThen(
  scene: Scene,
  everyMs: number,
  lastsMs: number,
  begin: () => void,
  end: () => void,
): Promise<void> {
  while (!scene.over) {
    await scene.pause(1, 2 * everyMs);
    if (scene.over) return;
    begin();
    await scene.pause(1, lastsMs);
    end();
  }
}

/** SIGKILL within the next few of its calls, wherever that is. */
async function kills(scene: Scene): Promise<void> {
  const { world } = scene;
  while (!scene.over) {
    await scene.pause(1, 1_200);
    if (!world.life.alive) continue;
    world.life.killAtStep(world.life.steps + between(world.random, 1, 60));
    await scene.pause(1, 100);
    world.kill();
    world.note('killed');
    await scene.revive();
  }
}

async function gracefulRestarts(scene: Scene): Promise<void> {
  const { world } = scene;
  while (!scene.over) {
    await scene.pause(500, 2_500);
    if (!world.life.alive || world.life.frozen) continue;
    world.note('SIGTERM');
    await world.stop(between(world.random, 0, 2_000));
    await scene.revive();
  }
}

async function frozen(scene: Scene): Promise<void> {
  const { world } = scene;
  while (!scene.over) {
    await scene.pause(200, 3_000);
    const { life } = world;
    if (!life.alive) continue;
    world.note('SIGSTOP');
    life.freeze();
    await scene.pause(10, 6_000);
    world.note('SIGCONT');
    life.thaw();
    world.truth.disturbed();
  }
}

async function clockJumps(scene: Scene): Promise<void> {
  const { world } = scene;
  while (!scene.over) {
    await scene.pause(100, 3_000);
    const ms = between(world.random, -86_400_000, 86_400_000);
    world.clock.jump(ms);
    world.note(`the wall clock jumps by ${ms} ms`);
  }
}

/** The next start has another configuration. */
async function changedSettings(scene: Scene): Promise<void> {
  const { world } = scene;
  const { random } = world;
  while (!scene.over) {
    await scene.pause(500, 2_000);
    const { config } = world;
    const codecs = ['none', 'none', 'none', 'gzip', 'lz4', 'zstd'] as const;
    world.config = {
      ...config,
      kafka: {
        ...config.kafka,
        codec: codecs[between(random, 0, 5)]!,
        batchBytes: between(random, 256, 4_096),
        lingerMs: between(random, 0, 100),
        maxInFlight: between(random, 1, 5),
      },
      partitioner:
        random() < 0.3
          ? { type: 'round-robin', rack: 'prefer' }
          : {
              type: 'single-partition',
              rack: 'prefer',
              stickyMs: between(random, 20, 2_000),
              stickyBytes: 8_192,
            },
    };
  }
}

async function lossyNetwork(scene: Scene): Promise<void> {
  const { world } = scene;
  const { faults } = world.broker;
  await nowAndThen(
    scene,
    400,
    400,
    () => Object.assign(faults, { lostRequests: world.random() * 0.4, lostAnswers: world.random() * 0.4 }),
    () => Object.assign(faults, { lostRequests: 0, lostAnswers: 0 }),
  );
}

async function lateRequests(scene: Scene): Promise<void> {
  const { world } = scene;
  await nowAndThen(
    scene,
    800,
    800,
    () => (world.broker.faults.lateRequests = world.random() * 0.3),
    () => (world.broker.faults.lateRequests = 0),
  );
}

/** Retriable codes of Produce, and a missing right that is granted later. Source: the protocol's error codes. */
const REFUSALS = [3, 5, 6, 7, 19, 20, 29, 56, 74, 75];

async function refusals(scene: Scene): Promise<void> {
  const { world } = scene;
  const { random } = world;
  await nowAndThen(
    scene,
    500,
    300,
    () => {
      const refusalCodes = [REFUSALS[between(random, 0, REFUSALS.length - 1)]!];
      Object.assign(world.broker.faults, { refusals: random(), refusalCodes });
      world.note(`brokers refuse with ${refusalCodes.join()}`);
    },
    () => (world.broker.faults.refusals = 0),
  );
}

async function movingLeaders(scene: Scene): Promise<void> {
  const { world } = scene;
  const { random, broker } = world;
  while (!scene.over) {
    await scene.pause(20, 700);
    const leader = random() < 0.2 ? -1 : between(random, 1, 3);
    broker.moveLeader(between(random, 0, broker.partitions.length - 1), leader);
  }
}

/** One broker, or all of them, for up to a few minutes. */
async function brokersDown(scene: Scene): Promise<void> {
  const { world } = scene;
  const { network } = world.broker;
  await nowAndThen(
    scene,
    1_500,
    world.random() < 0.2 ? 60_000 : 1_500,
    () => {
      const first = between(world.random, 1, 3);
      const down = world.random() < 0.5 ? [first] : [1, 2, 3];
      for (const id of down) network.down.add(id);
      world.note(`brokers ${down.join()} are down`);
    },
    () => {
      network.down.clear();
      world.note('all brokers are up');
    },
  );
}

async function hangingBrokers(scene: Scene): Promise<void> {
  const { world } = scene;
  const { network } = world.broker;
  await nowAndThen(
    scene,
    1_500,
    3_000,
    () => {
      network.hanging.add(between(world.random, 1, 3));
      world.note(`brokers ${[...network.hanging].join()} hang`);
    },
    () => network.hanging.clear(),
  );
}

async function slowBrokers(scene: Scene): Promise<void> {
  const { world } = scene;
  await nowAndThen(
    scene,
    1_000,
    2_000,
    () => (world.broker.network.delayMs = between(world.random, 50, 700)),
    () => (world.broker.network.delayMs = 0),
  );
}

/** The topic's limit is lowered and raised again; every line fits into the smallest one. */
async function movingLimit(scene: Scene): Promise<void> {
  const { world } = scene;
  await nowAndThen(
    scene,
    1_000,
    1_500,
    () => {
      world.broker.maxMessageBytes = between(world.random, 2_500, 6_000);
      world.note(`max.message.bytes is ${world.broker.maxMessageBytes}`);
    },
    () => (world.broker.maxMessageBytes = 1_048_588),
  );
}

async function newPartitions(scene: Scene): Promise<void> {
  for (let added = 0; added < 3 && !scene.over; added += 1) {
    await scene.pause(500, 3_000);
    scene.world.broker.addPartition();
    scene.world.note('a partition is added');
  }
}

async function loadingCoordinator(scene: Scene): Promise<void> {
  const { faults } = scene.world.broker;
  await nowAndThen(
    scene,
    1_000,
    1_000,
    () => (faults.coordinatorLoading = true),
    () => (faults.coordinatorLoading = false),
  );
}

/** No lines get lost by it: what is not known to be written is kept in memory and written when there is room. */
async function fullJournalDisk(scene: Scene): Promise<void> {
  const { world } = scene;
  await nowAndThen(
    scene,
    1_000,
    2_000,
    () => {
      world.journal.failure = ['ENOSPC', 'EROFS', 'EIO'][between(world.random, 0, 2)];
      world.truth.journalFails();
      world.note(`the journal's disk fails with ${world.journal.failure}`);
    },
    () => (world.journal.failure = undefined),
  );
}

/** A permission that is taken away and given back, descriptors that run out, a disk or a server of files that is ill. */
const FILE_ERRORS = ['EACCES', 'EIO', 'EMFILE', 'ENFILE', 'ESTALE'];
const FILE_CALLS = ['open', 'read', 'stat', 'list'] as const;

/** Never for as long as an agent waits at its start for the files of open batches. */
async function failingFiles(scene: Scene): Promise<void> {
  const { world } = scene;
  const { random, failingFiles: failing } = world;
  while (!scene.over) {
    await scene.pause(1, 1_600);
    if (scene.over) return;
    failing.code = FILE_ERRORS[between(random, 0, FILE_ERRORS.length - 1)]!;
    // A permission to read a file is asked for when it is opened.
    failing.calls = failing.code === 'EACCES' ? ['open'] : FILE_CALLS.filter(() => random() < 0.5);
    failing.share = random();
    world.note(`${failing.calls.join()} fail with ${failing.code}, ${failing.share.toFixed(2)} of the time`);
    await world.clock.after(Math.min(5_000, between(random, 1, 800) * world.pace));
    failing.share = 0;
  }
}

async function powerCuts(scene: Scene): Promise<void> {
  const { world } = scene;
  while (!scene.over) {
    await scene.pause(100, 2_500);
    if (!world.life.alive) continue;
    world.kill();
    await world.clock.after(5); // writes that were under way have ended, one way or the other
    if (world.life.alive) continue; // another trouble was quicker
    world.cutPower(world.random);
    if (world.fsync !== 'always') world.truth.journalDamaged();
    await scene.revive();
  }
}

async function flippedBits(scene: Scene): Promise<void> {
  const { world } = scene;
  while (!scene.over) {
    await scene.pause(300, 2_500);
    world.kill();
    await world.clock.after(5);
    if (world.life.alive) continue;
    world.journal.flipBit(world.random);
    world.truth.journalDamaged();
    world.note('a bit of the journal is flipped');
    await scene.revive();
  }
}

async function forgottenProducers(scene: Scene): Promise<void> {
  while (!scene.over) {
    await scene.pause(100, 2_000);
    scene.world.broker.forgetProducers();
    scene.world.note('the brokers forget all producer ids');
  }
}

async function recreatedTopic(scene: Scene): Promise<void> {
  const { broker, random, note } = scene.world;
  await scene.pause(200, 3_000);
  broker.deleteTopic();
  note('the topic is deleted');
  await scene.pause(1, 3_000);
  broker.recreateTopic(between(random, 2, 6));
  note('the topic is created again');
}

/** After these each line is there once. */
export const TROUBLES: Record<string, Trouble> = {
  kills,
  gracefulRestarts,
  frozen,
  clockJumps,
  changedSettings,
  lossyNetwork,
  lateRequests,
  refusals,
  movingLeaders,
  brokersDown,
  hangingBrokers,
  slowBrokers,
  movingLimit,
  newPartitions,
  loadingCoordinator,
  failingFiles,
};

/** After a power cut, each line is there once if the journal is synced before a batch is sent. */
export const WITH_FSYNC_ALWAYS = ['powerCuts'];

/** These take away what exactly once is made of: at least once is left. */
export const DAMAGE: Record<string, Trouble> = {
  powerCuts,
  fullJournalDisk,
  flippedBits,
  forgottenProducers,
  recreatedTopic,
};
