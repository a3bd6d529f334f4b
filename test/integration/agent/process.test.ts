/** What a machine does to the agent's process and to its state directory. */
import { execFileSync } from 'node:child_process';
import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { judgeTopic } from '../../support/judge-topic.ts';
import { mayMount, tmpfsForTest } from '../../support/mounts.ts';
import { keepWriting, type NumberedLog, numberedLog } from '../../support/numbered-log.ts';
import { countRecords } from '../../support/read-topic.ts';
import type { RunningSkald } from '../../support/run-skald.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type AgentHost, agentHost } from './agent-host.ts';

const EACH_ONCE_IN_ORDER = { missing: [], doubled: [], outOfOrder: 0 };
const LINES_PER_SECOND = 5_000;
const canMount = mayMount();

interface World {
  topic: string;
  host: AgentHost;
  log: NumberedLog;
}

async function world(options: Parameters<typeof agentHost>[1] = {}): Promise<World> {
  const topic = await freshTopic({ partitions: 3 });
  const host = await agentHost({ app: { topic, yaml: 'partitioner:\n  stickyMs: 500\n' } }, options);
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  onTestFinished(() => log.close());
  return { topic, host, log };
}

function arrived({ topic }: World, records: number): Promise<unknown> {
  return waitFor(async () => (await countRecords(topic)) >= records, {
    timeoutMs: 60_000,
    what: `${records} records in ${topic}`,
  });
}

async function judge(w: World, agent: RunningSkald, written: number) {
  await arrived(w, written);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  const { records: _, ...judgement } = await judgeTopic(w.topic, written);
  return judgement;
}

const journalFails = (host: AgentHost): Promise<number> => host.metric('skald_agent_journal_failing_state');

test('stopped (SIGSTOP) for longer than every time-out while files rotate, then continued: each line once, in order', async () => {
  const w = await world({ cluster: ['requestTimeoutMs: 1s', 'connectTimeoutMs: 1s'] });
  const writing = keepWriting(w.log, LINES_PER_SECOND);
  const agent = w.host.start();
  onTestFinished(() => agent.signal('SIGCONT'));
  for (let round = 1; round <= 3; round += 1) {
    await arrived(w, (await countRecords(w.topic)) + 1_000);
    agent.signal('SIGSTOP');
    const { written } = w.log;
    await waitFor(() => w.log.written > written + 1.5 * LINES_PER_SECOND, {
      timeoutMs: 30_000,
      what: 'a second and a half of lines',
    });
    w.log.rename(join(w.host.logs, 'app', `app.log.${round}`));
    await waitFor(() => w.log.written > written + 3 * LINES_PER_SECOND, {
      timeoutMs: 30_000,
      what: 'three seconds of lines',
    });
    agent.signal('SIGCONT');
  }
  expect(await judge(w, agent, await writing.stop())).toEqual(EACH_ONCE_IN_ORDER);
}, 120_000);

test.skipIf(!canMount)(
  'the disk of the state directory is full, then has room, and the agent is killed: delivery goes on, each line once',
  async () => {
    const w = await world();
    tmpfsForTest(w.host.stateDir, '1m');
    const agent = w.host.start();
    const writing = keepWriting(w.log, LINES_PER_SECOND);
    await arrived(w, 1_000);

    const filler = join(w.host.stateDir, 'filler');
    await writeFile(filler, Buffer.alloc(2 * 1024 * 1024)).catch(() => {}); // as much as goes in
    await waitFor(async () => (await journalFails(w.host)) === 1, {
      timeoutMs: 30_000,
      what: 'the agent shows that its journal cannot be written',
    });
    await arrived(w, (await countRecords(w.topic)) + 2 * LINES_PER_SECOND);
    const said = agent
      .stderr()
      .split('\n')
      .filter((line) => line.includes('the journal cannot be written'));
    expect(said).toHaveLength(1);
    expect(JSON.parse(said[0]!)).toMatchObject({ level: 'error', pipeline: 'app' });

    await rm(filler);
    await waitFor(async () => (await journalFails(w.host)) === 0, {
      timeoutMs: 30_000,
      what: 'the journal is written again',
    });
    agent.signal('SIGKILL');
    await agent.exited();
    expect(await judge(w, w.host.start(), await writing.stop())).toEqual(EACH_ONCE_IN_ORDER);
  },
  120_000,
);

test.skipIf(!canMount)(
  'the state directory is read-only at a start: refused, and when it can be written again each line once',
  async () => {
    const w = await world();
    tmpfsForTest(w.host.stateDir, '8m');
    const agent = w.host.start();
    const writing = keepWriting(w.log, LINES_PER_SECOND);
    await arrived(w, 1_000);
    agent.signal('SIGKILL');
    await agent.exited();

    execFileSync('mount', ['-o', 'remount,ro', w.host.stateDir]);
    const refused = w.host.start();
    const { code, stderr } = await refused.exited();
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain('STATE_DIR_UNUSABLE');

    execFileSync('mount', ['-o', 'remount,rw', w.host.stateDir]);
    expect(await judge(w, w.host.start(), await writing.stop())).toEqual(EACH_ONCE_IN_ORDER);
  },
  120_000,
);

test('killed, and a bit of the journal flips: said, the damaged journal is kept, each line once', async () => {
  const w = await world();
  const writing = keepWriting(w.log, LINES_PER_SECOND);
  const agent = w.host.start();
  await arrived(w, 2 * LINES_PER_SECOND);
  agent.signal('SIGKILL');
  await agent.exited();
  const directory = join(w.host.stateDir, 'pipelines', 'app');
  const journal = join(directory, 'journal');
  const bytes = await readFile(journal);
  bytes[Math.floor(bytes.length / 2)]! ^= 0x10;
  await writeFile(journal, bytes);

  const next = w.host.start();
  const { missing, doubled } = await judge(w, next, await writing.stop());
  expect({ missing, doubled }).toEqual({ missing: [], doubled: [] });
  const said = next.stderr().split('\n');
  expect(said.filter((line) => line.includes('the journal is damaged'))).toHaveLength(1);
  expect((await readdir(directory)).filter((name) => name.includes('damaged'))).toHaveLength(1);
}, 120_000);

test('no descriptors left for more files or connections: said, and everything comes when there are some', async () => {
  const topic = await freshTopic({ partitions: 3 });
  const host = await agentHost({ app: { topic } });
  const files = 100;
  const pathOf = (n: number): string => join(host.logs, 'app', `${n}.log`);
  await writeFile(pathOf(0), '');
  const agent = host.start();
  // From here on the first file is open, and nothing has been sent: there is no connection yet to send batches over.
  await waitFor(async () => (await host.status('app'))?.files.length === 1, {
    timeoutMs: 60_000,
    what: 'the agent follows the first file',
  });
  const limit = (descriptors: number): void => {
    execFileSync('prlimit', [`--pid=${agent.pid}`, `--nofile=${descriptors}:`]); // the soft limit
  };
  // Descriptors below that number are taken (getrlimit(2), RLIMIT_NOFILE), whatever else the agent closes meanwhile.
  limit(3);
  const write = (n: number): Promise<void> => appendFile(pathOf(n), `${n} 1 first\n${n} 2 second\n`);
  const says = (text: string): Promise<unknown> =>
    waitFor(() => agent.stderr().includes(text), {
      timeoutMs: 90_000, // what was said a moment ago with another reason is said again after a minute
      what: `the agent says: ${text}`,
    });
  // One after the other: who wants to open a file closes another one first, and that may be the first file, unread.
  await write(0);
  await says('connect EMFILE');
  for (let n = 1; n < files; n += 1) await write(n);
  await says('no more files can be opened');
  expect(await countRecords(topic)).toBe(0);
  limit(4_096);
  await waitFor(async () => (await countRecords(topic)) >= 2 * files, {
    timeoutMs: 60_000,
    what: 'all lines in the topic',
  });
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  expect(await countRecords(topic)).toBe(2 * files);
}, 300_000);
