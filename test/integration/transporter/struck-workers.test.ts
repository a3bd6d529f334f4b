import { randomBytes } from 'node:crypto';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { coordinatorOf } from '../../../shared/kafka/coordinator.ts';
import { leaveGroup } from '../../../shared/kafka/leave-group.ts';
import { type S3FaultProxy, startS3FaultProxy } from '../../support/s3-fault-proxy.ts';
import { freshPrefix, freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { client } from '../kafka/client.ts';
import { type FleetWorker, startFleetWorker, type WorkerStatus } from './fleet-worker.ts';
import { startLoad, type SteadyLoad } from './steady-load.ts';
import { closeGate, type StoreGate } from './store-gate.ts';
import { committedOffsets, isCarried, readS3Objects } from './transporter-files.ts';

const PATIENCE_MS = 60_000;
const HOUR_MS = 3_600_000;
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

/** What a worker finds in its file at one start after the other: each promise is kept under another layout. */
const LAYOUTS = [
  { objects: ['codec: zstd'], chunk: ['maxBytes: 24MiB', 'maxAgeMs: 1s'] },
  {
    objects: [
      'codec: gzip',
      'format: jsonl',
      "template: '{prefix}/{topic}/{yyyy}/{mm}/{dd}/{hh}/{partition}-{firstOffset}.{ext}'",
    ],
    chunk: ['maxBytes: 16MiB', 'maxAgeMs: 1200ms'],
  },
  { objects: ['codec: none'], chunk: ['maxBytes: 20MiB', 'maxAgeMs: 1300ms'] },
  {
    objects: [
      'codec: zstd',
      'format: jsonl',
      "template: '{prefix}/by-day/{topic}/{yyyy}-{mm}-{dd}/{hh}-{partition}-{firstOffset}.{ext}'",
    ],
    chunk: ['maxBytes: 32MiB', 'maxAgeMs: 1100ms'],
  },
];

/** More than the least size of a multipart upload, also when it is compressed: each byte of text holds six bits. */
const LARGE = Array.from({ length: 8 }, (_, i) => ({ salt: i, bytes: 700_000 }));

interface LaneWorker extends FleetWorker {
  proxy: S3FaultProxy;
}

/** A topic of one partition, a worker that carries it, and one that takes over. */
interface Lane {
  topic: string;
  group: string;
  prefix: string;
  load: SteadyLoad;
  workers: LaneWorker[];
  start(name: string): Promise<LaneWorker>;
}

async function startLane(number: number): Promise<Lane> {
  const topic = await freshTopic({ partitions: 1 });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const { s3 } = sharedStack();
  let starts = number;
  const start = async (name: string): Promise<LaneWorker> => {
    const proxy = await startS3FaultProxy(s3.endpoint);
    onTestFinished(() => proxy.close());
    // The gates count the objects of a chunk: no markers beside them.
    const store = `success: false
store:
  type: s3
  bucket: ${s3.bucket}
  endpoint: ${proxy.endpoint}
  region: ${s3.region}
  forcePathStyle: true
  accessKeyId: ${s3.accessKeyId}
  secretAccessKey: ${s3.secretAccessKey}
  multipartThresholdBytes: 5MiB
  partBytes: 5MiB
`;
    const layout = LAYOUTS[starts % LAYOUTS.length]!;
    starts += 1;
    const file = { topic, group, prefix, store, session: '120s', ...layout };
    return { ...(await startFleetWorker(directory, name, file)), proxy };
  };
  const nowMs = Date.now();
  const load = await startLoad(topic, 1, [nowMs - HOUR_MS, nowMs]);
  const workers = await Promise.all(['a', 'b'].map(start));
  return { topic, group, prefix, load, workers, start };
}

interface Committed {
  offset: number;
  /** Of the intent; undefined when there is none. */
  end: number | undefined;
}

async function committedIn({ group, topic }: Lane): Promise<Committed> {
  const [found] = await committedOffsets(group, topic);
  if (found === undefined || !found.metadata.includes('"end"'))
    return { offset: found?.offset ?? -1, end: undefined };
  return { offset: found.offset, ...z.object({ end: z.number() }).parse(JSON.parse(found.metadata)) };
}

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

/**
 * Every record is in one object, and the names tile the partition: those of a chunk have the offset at which it begins,
 * and hold what is from there to where the next one begins.
 */
async function expectExactlyOnce({ prefix, load }: Lane): Promise<void> {
  const offsets = new Map(load.sent.map(({ value, offset }) => [value, offset]));
  const objects = [...(await readS3Objects(prefix))].map(([name, lines]) => ({
    name,
    start: Number(/(\d+)\.(?:log|jsonl)/.exec(name)![1]),
    offsets: lines.map((line) => offsets.get(valueOf(name, line)) ?? NaN),
  }));
  const stored = objects.flatMap((object) => object.offsets);
  const once = new Set(stored);
  const missing = load.sent.filter(({ offset }) => !once.has(offset));
  expect({ stored: stored.length, missing }).toEqual({ stored: load.sent.length, missing: [] });
  const starts = [...new Set(objects.map(({ start }) => start))].toSorted((a, b) => a - b);
  expect(starts[0]).toBe(0);
  for (const { name, start, offsets: held } of objects) {
    const end = starts[starts.indexOf(start) + 1] ?? Infinity;
    const outside = held.filter((offset, i) => offset < (held[i - 1] ?? start) || offset >= end);
    expect({ name, outside }).toEqual({ name, outside: [] });
  }
}

const envelopeSchema = z.object({ value: z.string() });

function valueOf(name: string, line: string): string {
  return name.includes('.jsonl') ? envelopeSchema.parse(JSON.parse(line)).value : line;
}

async function unfinishedUploads(prefix: string): Promise<number> {
  const { s3 } = sharedStack();
  const s3Client = new S3Client({ ...s3, credentials: s3, forcePathStyle: true });
  onTestFinished(() => s3Client.destroy());
  const listed = await s3Client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: prefix }));
  return listed.Uploads?.length ?? 0;
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
  await expectExactlyOnce(lane);
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
