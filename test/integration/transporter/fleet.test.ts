import { expect, it, onTestFinished } from 'vitest';
import { runSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type FleetWorker, shareEqually, startFleetWorker, type WorkerStatus } from './fleet-worker.ts';
import { startLoad } from './steady-load.ts';
import { committedOffsets, isCarried, readS3Objects } from './transporter-files.ts';

const PARTITIONS = 6;
const PATIENCE_MS = 60_000;
/** Longer than any of these tests waits: nothing here is due to the end of a session. */
const SESSION = '120s';
/** In which partitions whose worker stays must have gone on, whatever happens to others. */
const STANDSTILL_MS = 20_000;

type PartitionStatus = WorkerStatus['partitions'][number];

function settled(what: string, condition: () => Promise<boolean>): Promise<unknown> {
  return waitFor(condition, { timeoutMs: PATIENCE_MS, intervalMs: 100, what });
}

async function committedAt(group: string, topic: string): Promise<Map<number, number>> {
  const found = await committedOffsets(group, topic);
  return new Map(found.map(({ partition, offset }) => [partition, offset]));
}

/** Watches how long the partitions of workers stand still: `field` is one of the offsets that they report. */
function watchStandstill(workers: () => readonly FleetWorker[], field: 'position' | 'committedOffset') {
  const stop = new AbortController();
  let longestMs = 0;
  const last = new Map<string, { offset: number; atMs: number }>();
  const look = async (): Promise<void> => {
    for (const worker of workers()) {
      for (const status of (await worker.status())?.partitions ?? []) {
        const key = `${worker.process.pid}/${status.partition}`;
        const offset = status[field] ?? -1;
        const before = last.get(key);
        const nowMs = performance.now();
        if (before !== undefined) longestMs = Math.max(longestMs, nowMs - before.atMs);
        if (before?.offset !== offset) last.set(key, { offset, atMs: nowMs });
      }
    }
  };
  const watch = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const watching = watch();
  const end = async (): Promise<number> => {
    stop.abort();
    await watching;
    return longestMs;
  };
  onTestFinished(async () => void (await end()));
  return { end };
}

it('three workers are restarted one after the other under load: nobody rebalances, and nothing is fetched twice', async () => {
  const topic = await freshTopic({ partitions: PARTITIONS });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const start = (name: string): Promise<FleetWorker> =>
    startFleetWorker(directory, name, { topic, group, prefix, session: SESSION });
  const fleet = await Promise.all(['worker-0', 'worker-1', 'worker-2'].map(start));
  await settled('two partitions for each', () => shareEqually(fleet, 2));
  const generation = (await fleet[0]!.status())!.generation;
  const load = await startLoad(topic, PARTITIONS);
  await settled('each partition flows', async () =>
    [...(await committedAt(group, topic)).values()].every((offset) => offset > 0),
  );

  let stayers: readonly FleetWorker[] = [];
  const standstill = watchStandstill(() => stayers, 'committedOffset');
  /** What each new process has found committed. */
  const begins: Map<number, number>[] = [];
  for (const [place, old] of fleet.entries()) {
    stayers = fleet.filter((worker) => worker !== old);
    old.process.signal('SIGTERM');
    expect(await old.process.exited()).toMatchObject({ code: 0 });
    begins.push(await committedAt(group, topic));
    fleet[place] = await start(old.name);
    await settled(`${old.name} is back`, () => shareEqually(fleet, 2));
    stayers = [];
  }
  const longestMs = await standstill.end();
  await load.stop();
  await settled('everything is committed', () => isCarried(group, topic));

  const ends = await committedAt(group, topic);
  for (const [place, worker] of fleet.entries()) {
    expect(worker.generations()).toEqual([generation]);
    const { partitions } = (await worker.status())!;
    const offsets = partitions.map(({ partition }) => ends.get(partition)! - begins[place]!.get(partition)!);
    expect(await worker.metric('skald_transporter_records_total')).toBe(offsets[0]! + offsets[1]!);
  }
  expect(longestMs).toBeLessThan(STANDSTILL_MS);
  const stored = [...(await readS3Objects(prefix)).values()].flat();
  expect(stored.toSorted()).toEqual(load.sent.map(({ value }) => value).toSorted());
}, 240_000);

it('workers join and leave for good under load: what stays is kept and goes on, what is left is taken over at once', async () => {
  const topic = await freshTopic({ partitions: PARTITIONS });
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  // Nothing but a stop cuts a chunk in time: what is given up is seen.
  const file = { topic, group, prefix, session: SESSION, chunk: ['maxAgeMs: 1h'] };
  const start = (name: string, settings: string[] = []): Promise<FleetWorker> =>
    startFleetWorker(directory, name, { ...file, settings });
  const holdings = async (worker: FleetWorker): Promise<Map<number, PartitionStatus>> =>
    new Map((await worker.status())!.partitions.map((status) => [status.partition, status]));
  /** Partitions that the worker had and has; each with the same batch as its oldest one. */
  const expectKept = async (worker: FleetWorker, before: Map<number, PartitionStatus>, count: number) => {
    const now = await holdings(worker);
    const kept = [...now.keys()].filter((partition) => before.has(partition));
    expect(kept).toHaveLength(count);
    for (const partition of kept) {
      expect(now.get(partition)!.oldestMs).toBe(before.get(partition)!.oldestMs);
    }
  };

  const [stays, killed] = await Promise.all([start('stays'), start('killed')]);
  const load = await startLoad(topic, PARTITIONS);
  const holdsAll = async (worker: FleetWorker): Promise<boolean> =>
    [...(await holdings(worker)).values()].every(({ oldestMs }) => oldestMs !== undefined);
  await settled('two workers hold records of all partitions', async () => {
    if (!(await shareEqually([stays, killed], 3))) return false;
    return (await holdsAll(stays)) && (await holdsAll(killed));
  });
  expect(await stays.metric('skald_transporter_oldest_uncommitted_age_seconds')).toBeGreaterThan(0);
  expect(await stays.metric('skald_transporter_lag_records')).toBeGreaterThan(0);
  const first = await holdings(stays);
  const standstill = watchStandstill(() => [stays], 'position');

  const leaves = await start('leaves', ['leaveOnStop: true']);
  await settled('three workers share', () => shareEqually([stays, killed, leaves], 2));
  await expectKept(stays, first, 2);

  const second = await holdings(stays);
  leaves.process.signal('SIGTERM');
  expect(await leaves.process.exited()).toMatchObject({ code: 0 });
  await settled('two workers share again', () => shareEqually([stays, killed], 3));
  await expectKept(stays, second, 2);

  await settled('the one that stays holds records', () => holdsAll(stays));
  const third = await holdings(stays);
  killed.process.signal('SIGKILL');
  await killed.process.exited();
  const leave = ['transporter', 'leave', '-c', stays.file, '--member', 'killed'];
  expect(await runSkald(leave)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('killed has left'),
  });
  await settled('one worker has all', () => shareEqually([stays], PARTITIONS));
  await expectKept(stays, third, 3);
  expect(await runSkald(leave)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('UNKNOWN_MEMBER_ID'),
  });

  expect(await standstill.end()).toBeLessThan(STANDSTILL_MS);
  await load.stop();
  await settled('the one that stays has fetched everything', async () => {
    const positions = [...(await holdings(stays)).values()].map(({ position }) => position ?? 0);
    return positions.reduce((sum, position) => sum + position, 0) === load.sent.length;
  });
  stays.process.signal('SIGTERM');
  expect(await stays.process.exited()).toMatchObject({ code: 0 });
  expect(await isCarried(group, topic)).toBe(true);
  const objects = await readS3Objects(prefix);
  expect([...objects.values()].flat().toSorted()).toEqual(load.sent.map(({ value }) => value).toSorted());
}, 240_000);

it('a worker is back with other topics in its file, within its session: it carries these, and none of the former', async () => {
  const [former, later] = [await freshTopic({ partitions: 2 }), await freshTopic({ partitions: 2 })];
  const [group, prefix, directory] = [uniqueName('group'), freshPrefix(), await tempDir()];
  const start = (topic: string): Promise<FleetWorker> =>
    startFleetWorker(directory, 'worker', { topic, group, prefix, session: SESSION });
  const before = await start(former);
  await settled('it carries the former topic', () => shareEqually([before], 2));
  before.process.signal('SIGKILL');
  await before.process.exited();
  const after = await start(later);
  await settled('it carries the later topic', () => shareEqually([after], 2));
  expect((await after.status())!.partitions.map(({ topic }) => topic)).toEqual([later, later]);
});
