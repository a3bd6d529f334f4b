import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { coordinatorOf } from '../../../shared/kafka/coordinator.ts';
import { leaveGroup } from '../../../shared/kafka/leave-group.ts';
import { waitFor } from '../../support/wait-for.ts';
import { client } from '../kafka/client.ts';
import type { WorkerStatus } from './fleet-worker.ts';
import { committedIn, type Lane, type LaneWorker, startLane } from './lane.ts';
import { closeGate, type StoreGate } from './store-gate.ts';
import { expectFinishedHours } from './finished-hours.ts';
import { expectStoredOnce, unfinishedUploads } from './stored-once.ts';
import { isCarried } from './transporter-files.ts';

const PATIENCE_MS = 60_000;
const STEPS = [
  'before the intent',
  'after the intent',
  'between two objects',
  'during a multipart upload',
  'after the upload',
  'after the commit',
] as const;
type Step = (typeof STEPS)[number];
const FATES = ['killed', 'frozen'] as const;
type Fate = (typeof FATES)[number];

/** More than the least size of a multipart upload, also when it is compressed: each byte of text holds six bits. */
const LARGE = Array.from({ length: 8 }, (_, i) => ({ salt: i, bytes: 700_000 }));

function settled<T>(what: string, condition: () => Promise<T | undefined | false>): Promise<T> {
  return waitFor(condition, { timeoutMs: PATIENCE_MS, intervalMs: 20, what });
}

async function ownerOf(lane: Lane): Promise<LaneWorker> {
  return settled('one worker carries the partition', async () => {
    for (const worker of lane.workers) {
      const status = await worker.status();
      if (status?.partitions[0]?.state === 'carrying' && status.partitions[0].position !== undefined)
        return worker;
    }
    return undefined;
  });
}

/** The gate holds every object of the chunk that is promised now, and the store has none of them. */
async function wholeChunkHeld(lane: Lane, owner: LaneWorker): Promise<StoreGate> {
  for (;;) {
    const gate = closeGate(owner.proxy, 'PutObject');
    // All chunks have two objects: the records are of two hours. Only one comes when the gate closed between two.
    const isWhole = await settled('objects come to the store', async () => {
      if (gate.held.length === 0) return undefined;
      await waitFor(() => gate.held.length === 2, { timeoutMs: 1000, what: 'a second object' }).catch(
        () => {},
      );
      return { whole: gate.held.length === 2 };
    });
    if (isWhole.whole) return gate;
    gate.open();
  }
}

/** Brings the worker to a step and holds it there, as far as it can be held. */
async function bringTo(step: Step, lane: Lane, owner: LaneWorker): Promise<StoreGate> {
  const gate = await wholeChunkHeld(lane, owner);
  if (step === 'during a multipart upload') return bringIntoUpload(lane, owner, gate);
  if (step === 'between two objects') await gate.held[0]!.perform();
  if (step === 'after the upload') for (const held of gate.held) await held.perform();
  if (!isBetweenChunks(step)) return gate;
  const promised = await committedIn(lane);
  gate.open();
  await settled('the chunk is committed', async () => (await committedIn(lane)).offset > promised.offset);
  if (step === 'before the intent') {
    await settled('records are gathered', async () => {
      const { position, committedOffset } = await partitionOf(owner);
      return position! > committedOffset!;
    });
  }
  return gate;
}

/** While the gate holds a chunk, the next one grows until it needs an upload of several parts. */
async function bringIntoUpload(lane: Lane, owner: LaneWorker, gate: StoreGate): Promise<StoreGate> {
  const values = LARGE.map(({ salt, bytes }) => `${salt} ${randomBytes(bytes).toString('base64')}`);
  await lane.load.sendNow(values, Date.now());
  const last = lane.load.sent.findLast(({ value }) => value === values.at(-1))!;
  await settled('the worker has fetched what is large', async () => {
    return (await partitionOf(owner)).position! > last.offset;
  });
  const parts = closeGate(owner.proxy, 'UploadPart');
  gate.open();
  await settled('two parts come to the store', async () => parts.held.length >= 2);
  await parts.held[0]!.perform();
  return parts;
}

async function partitionOf(worker: LaneWorker): Promise<WorkerStatus['partitions'][number]> {
  return (await worker.status())!.partitions[0]!;
}

/** No promise is open then. */
function isBetweenChunks(step: Step): boolean {
  return step === 'before the intent' || step === 'after the commit';
}

/** How often a worker was struck at a step, for certain. */
const struck = new Map<string, number>();

async function strike(lane: Lane, step: Step, fate: Fate): Promise<void> {
  const victim = await ownerOf(lane);
  const gate = await bringTo(step, lane, victim);
  victim.process.signal(fate === 'killed' ? 'SIGKILL' : 'SIGSTOP');
  const at = await committedIn(lane);
  const goesOn = (): Promise<unknown> =>
    settled(`records are committed after a worker was ${fate} ${step}`, async () => {
      const { offset } = await committedIn(lane);
      return offset > at.offset;
    });
  // What is held makes the other steps certain.
  if (isBetweenChunks(step) === (at.end === undefined)) {
    const what = `${fate} ${step}`;
    struck.set(what, (struck.get(what) ?? 0) + 1);
  }
  if (fate === 'killed') {
    await victim.process.exited();
    gate.open();
    lane.workers[lane.workers.indexOf(victim)] = await lane.start(victim.name);
    await goesOn();
    return;
  }
  const leaving = { groupId: lane.group, memberId: '', groupInstanceId: victim.name };
  await leaveGroup(coordinatorOf(client(), lane.group), leaving);
  await goesOn();
  gate.open(); // what it had sent arrives only now
  victim.process.signal('SIGCONT');
  await settled('the one that was frozen is in the group again', async () => {
    const [first, second] = await Promise.all(lane.workers.map((worker) => worker.status()));
    return first?.generation !== undefined && first.generation === second?.generation;
  });
}

async function strikeAtEachStep(number: number): Promise<void> {
  const lane = await startLane(number);
  for (const [i, step] of STEPS.entries()) {
    const fates = (i + number) % 2 === 0 ? FATES : FATES.toReversed();
    for (const fate of fates) {
      await strike(lane, step, fate).catch((error: unknown) => {
        const logs = lane.workers.map(({ name, process }) => `${name}:\n${process.stderr().slice(-4000)}`);
        throw new Error(`lane ${number}, ${fate} ${step}\n${logs.join('\n')}`, { cause: error });
      });
    }
  }
  await lane.load.stop();
  await settled('everything is committed', () => isCarried(lane.group, lane.topic));
  const records = await expectStoredOnce(lane.prefix, lane.load.sent);
  // Two objects for each chunk, and one of them is of an hour that was finished before.
  expect(expectFinishedHours(lane.prefix, records).late).toBeGreaterThan(STEPS.length * FATES.length);
  expect(await unfinishedUploads(lane.prefix)).toBe(0);
  for (const { process } of lane.workers) {
    process.signal('SIGTERM');
    expect(await process.exited()).toMatchObject({ code: 0 });
  }
}

it('workers are killed and frozen at each of their steps, and come back with another layout: every record is stored once', async () => {
  await Promise.all([0, 1, 2].map(strikeAtEachStep));
  const missed = STEPS.flatMap((step) => FATES.map((fate) => `${fate} ${step}`)).filter(
    (what) => !struck.has(what),
  );
  expect(missed).toEqual([]);
}, 300_000);
