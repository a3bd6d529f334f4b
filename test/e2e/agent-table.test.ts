/**
 * The table that agents are compared by: lines missing (doubled), each column counted in the topic by Apache's console
 * consumer. The agent is the built `skald` with its default intervals, on real brokers that acknowledge with all replicas.
 */
import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { agentHost, type AgentHost } from '../integration/agent/agent-host.ts';
import { judgeTopic } from '../support/judge-topic.ts';
import { type NumberedLog, numberedLog, writeSteadily } from '../support/numbered-log.ts';
import { countRecords } from '../support/read-topic.ts';
import type { RunningSkald } from '../support/run-skald.ts';
import { freshTopic } from '../support/shared-stack.ts';
import { waitFor } from '../support/wait-for.ts';

const row: string[] = [];

afterAll(() => void process.stdout.write(`lines missing (doubled): ${row.join(' | ')}\n`));

const EACH_ONCE_IN_ORDER = { missing: [], doubled: [], outOfOrder: 0 };

interface World {
  topic: string;
  host: AgentHost;
  log: NumberedLog;
  /** Beside the log. */
  readonly at: (name: string) => string;
}

async function world(yaml = 'partitioner:\n  stickyMs: 500\n'): Promise<World> {
  const topic = await freshTopic({ partitions: 6 });
  const host = await agentHost({ app: { topic, defaultIntervals: true, yaml } });
  const at = (name: string): string => join(host.logs, 'app', name);
  const log = numberedLog(at('app.log'));
  onTestFinished(() => log.close());
  return { topic, host, log, at };
}

/** Waits until the lines came, ends the agent, and counts. */
async function judge(
  column: string,
  { topic, log, host, at }: World,
  agent: RunningSkald,
  /** Lines that no reader could miss. */
  sure = log.written,
) {
  const { written } = log;
  await waitFor(
    async () => (await countRecords(topic)) >= sure && (await host.hasCarried('app', at('app.log'))),
    { timeoutMs: 60_000, what: `${sure} lines in the topic, and all that is in the log` },
  ).catch(() => {}); // the judgement says more
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  const { records, ...judgement } = await judgeTopic(topic, written);
  const { missing } = judgement;
  row.push(`${column}, ${written} lines: ${missing.length} (${records - (written - missing.length)})`);
  return judgement;
}

/** Starts the agent, ends it by `signal` three times while lines are written and sent, and starts it again each time. */
async function endThreeTimes(w: World, signal: 'SIGKILL' | 'SIGTERM', lines: number): Promise<RunningSkald> {
  const writing = writeSteadily(w.log, { lines, overMs: 8_000 });
  for (let round = 0; round < 3; round += 1) {
    const before = await countRecords(w.topic);
    w.log.write(1_000); // there is something to send, also on a machine that was slow to start the agents before this one
    const agent = w.host.start();
    await waitFor(async () => (await countRecords(w.topic)) > before, {
      timeoutMs: 60_000,
      what: `the first lines of round ${round} in the topic`,
    });
    await delay(Math.random() * 500); // any moment will do, and each run tries others
    agent.signal(signal);
    expect(await agent.exited()).toMatchObject(signal === 'SIGKILL' ? { signal } : { code: 0 });
  }
  const last = w.host.start();
  await writing;
  return last;
}

test('kill -9 three times in 1.35 M lines', async () => {
  const w = await world();
  const agent = await endThreeTimes(w, 'SIGKILL', 1_350_000);
  expect(await judge('kill -9 three times', w, agent)).toEqual(EACH_ONCE_IN_ORDER);
});

test('SIGTERM three times', async () => {
  const w = await world();
  const agent = await endThreeTimes(w, 'SIGTERM', 400_000);
  expect(await judge('SIGTERM three times', w, agent)).toEqual(EACH_ONCE_IN_ORDER);
});

test.each([
  ['rename each second', 1_000, 412_000],
  ['rename each 0.25 s', 250, 400_000],
] as const)('%s', async (column, intervalMs, lines) => {
  const w = await world();
  const agent = w.host.start();
  let rotations = 0;
  await writeSteadily(w.log, { lines, overMs: 6_000 }, (passedMs) => {
    if (passedMs < (rotations + 1) * intervalMs) return;
    rotations += 1;
    w.log.rename(w.at(`app.log.${rotations}`));
  });
  expect(rotations).toBeGreaterThanOrEqual(Math.floor(6_000 / intervalMs) - 1);
  expect(await judge(column, w, agent)).toEqual(EACH_ONCE_IN_ORDER);
});

test('copytruncate while the writer is quiet', async () => {
  const w = await world();
  const agent = w.host.start();
  for (let round = 1; round <= 12; round += 1) {
    await writeSteadily(w.log, { lines: 2_000, overMs: 400 });
    // Quiet until all of it is carried, as a log is that logrotate copies at night.
    await waitFor(() => w.host.hasCarried('app', w.at('app.log')), {
      timeoutMs: 60_000,
      what: `the lines of round ${round} are carried`,
    });
    w.log.copyTruncate(w.at(`app.log.${round}`));
  }
  expect(await judge('copytruncate', w, agent)).toEqual(EACH_ONCE_IN_ORDER);
});

test('copytruncate under load: nothing is missing but what was written between copy and truncation', async () => {
  const w = await world();
  const agent = w.host.start();
  const races: { first: number; last: number }[] = [];
  let rotating: Promise<unknown> = Promise.resolve();
  let rotations = 0;
  await writeSteadily(w.log, { lines: 24_000, overMs: 10_000 }, (passedMs) => {
    if (passedMs < (rotations + 1) * 800) return;
    rotations += 1;
    const to = w.at(`app.log.${rotations}`);
    rotating = rotating.then(async () => races.push(await w.log.copyTruncateUnderLoad(to)));
  });
  await rotating;
  expect(races).toHaveLength(12);
  const raced = races.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  expect(raced).toBeGreaterThan(0);
  const { missing, ...rest } = await judge('copytruncate under load', w, agent, w.log.written - raced);
  expect(missing.filter((line) => !races.some(({ first, last }) => line >= first && line <= last))).toEqual(
    [],
  );
  expect({ ...rest, missing: [] }).toEqual(EACH_ONCE_IN_ORDER);
});

test('truncated without a copy while it is being read: what is missing is what the agent counts, with its place', async () => {
  const w = await world('limits:\n  bytesPerSecond: 50KB\n');
  w.log.write(12_000);
  const content = await readFile(w.at('app.log'));
  const agent = w.host.start();
  await waitFor(async () => (await countRecords(w.topic)) > 0, {
    timeoutMs: 60_000,
    what: 'the first lines',
  });
  await truncate(w.at('app.log'), 0);
  const said = await waitFor(
    () =>
      agent
        .stderr()
        .split('\n')
        .find((line) => line.includes('"level":"error"')),
    { timeoutMs: 60_000, what: 'the agent says what is lost' },
  );
  const { from, to }: { from: number; to: number } = JSON.parse(said);
  expect(to).toBe(content.length);
  expect(await w.host.metric('skald_agent_lost_bytes_total')).toBe(to - from);
  const before = content.subarray(0, from).toString('latin1').split('\n').length - 1;
  const { missing, ...rest } = await judge('truncated without a copy', w, agent, before);
  expect(missing).toEqual(Array.from({ length: 12_000 - before }, (_, i) => before + 1 + i));
  expect({ ...rest, missing: [] }).toEqual(EACH_ONCE_IN_ORDER);
});
