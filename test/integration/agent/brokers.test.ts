/** Brokers that go and come back, on a cluster of this file's own. What is gone longer changes nothing but the backlog. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { describeTopic } from '../../../scripts/stack/kafka-admin.ts';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { type LocalStack, startStack } from '../../../scripts/stack/stack.ts';
import { judgeTopic } from '../../support/judge-topic.ts';
import { keepWriting, type NumberedLog, numberedLog } from '../../support/numbered-log.ts';
import { countRecords } from '../../support/read-topic.ts';
import type { RunningSkald } from '../../support/run-skald.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type AgentHost, agentHost, type PipelineReport } from './agent-host.ts';

const EACH_ONCE_IN_ORDER = { missing: [], doubled: [], outOfOrder: 0 };
const LINES_PER_SECOND = 5_000;
/** What waits for replicas, or for a broker that answers nothing, waits for so long; half a minute by default. */
const REQUEST_TIMEOUT = 'requestTimeoutMs: 4s';

let stack: LocalStack;

beforeAll(async () => {
  stack = await startStack({
    s3: false,
    brokerSettings: { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' },
  });
});
afterAll(() => stack.stop());
afterEach(async () => {
  for (const { id, pid } of stack.brokers) {
    if (pid === undefined) await stack.startBroker(id);
    else stack.resumeBroker(id);
  }
});

interface World {
  topic: string;
  host: AgentHost;
  agent: RunningSkald;
  log: NumberedLog;
}

/** An agent in rack-a, where broker 1 is, and an application that logs. */
async function world(replicaAssignment: number[][], yaml = ''): Promise<World> {
  const topic = await freshTopic({ replicaAssignment }, stack.bootstrap);
  const host = await agentHost(
    { app: { topic, kafka: [REQUEST_TIMEOUT], yaml } },
    { bootstrap: stack.bootstrap, cluster: [REQUEST_TIMEOUT] },
  );
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  onTestFinished(() => log.close());
  return { topic, host, agent: host.start(), log };
}

function arrived(topic: string, records: number, bootstrap = stack.bootstrap): Promise<unknown> {
  return waitFor(async () => (await countRecords(topic, bootstrap)) >= records, {
    timeoutMs: 60_000,
    what: `${records} records in ${topic}`,
  });
}

async function judge({ topic, agent }: World, written: number) {
  await arrived(topic, written);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  const { records: _, ...judgement } = await judgeTopic(topic, written, stack.bootstrap);
  return judgement;
}

function inSync(topic: string, replicas: number, bootstrap = stack.bootstrap): Promise<unknown> {
  return waitFor(
    async () => (await describeTopic(bootstrap, topic)).every((p) => p.inSync.length === replicas),
    { timeoutMs: 60_000, what: `${replicas} replicas in sync` },
  );
}

function statusOf({ host }: World): Promise<PipelineReport> {
  return waitFor(() => host.status('app'), { timeoutMs: 60_000, what: 'the agent answers' });
}

const errors = (host: AgentHost, code: string): Promise<number> =>
  host.metric('skald_agent_produce_errors_total', { code });

test('every broker is restarted, one after the other, under load: each line once, in order', async () => {
  const w = await world([
    [1, 2, 3],
    [2, 3, 1],
    [3, 1, 2],
  ]);
  const writing = keepWriting(w.log, LINES_PER_SECOND);
  await arrived(w.topic, 1);
  for (const id of [1, 2, 3]) {
    await stack.killBroker(id, 'SIGTERM');
    await stack.startBroker(id);
    await inSync(w.topic, 3);
  }
  expect(await judge(w, await writing.stop())).toEqual(EACH_ONCE_IN_ORDER);
  expect(await countRecords(w.topic, stack.bootstrap)).toBe(w.log.written);
});

test('all brokers are killed under load and come back: the lines wait in their file, then each once, in order', async () => {
  const w = await world([
    [1, 2, 3],
    [2, 3, 1],
  ]);
  const writing = keepWriting(w.log, LINES_PER_SECOND);
  await arrived(w.topic, 1_000);
  await Promise.all([1, 2, 3].map((id) => stack.killBroker(id)));
  const behind = w.log.written;
  // Longer than a request may take; a longer absence adds nothing but backlog.
  await waitFor(() => w.log.written > behind + 6 * LINES_PER_SECOND, {
    timeoutMs: 60_000,
    what: 'six seconds of lines',
  });
  expect((await statusOf(w)).lagBytes).toBeGreaterThan(0);
  await Promise.all([1, 2, 3].map((id) => stack.startBroker(id)));
  expect(await judge(w, await writing.stop())).toEqual(EACH_ONCE_IN_ORDER);
});

test('a partition without a leader: lines flow to the others, and what waited for it comes, once, when it has one again', async () => {
  const w = await world([[1], [2], [3]]);
  const writing = keepWriting(w.log, LINES_PER_SECOND);
  await arrived(w.topic, 1_000);
  await stack.killBroker(1); // the only replica of the rack's only partition
  const others = stack.bootstrap.slice(1);
  const describe = [`--bootstrap-server=${others.join(',')}`, '--describe', `--topic=${w.topic}`];
  await waitFor(
    async () => {
      const tool = 'org.apache.kafka.tools.TopicCommand';
      return (await kafkaTool(tool, [...describe, '--unavailable-partitions'])).stdout.includes(
        'Partition: 0',
      );
    },
    { timeoutMs: 60_000, what: 'a partition without a leader' },
  );
  const { readBytes } = (await statusOf(w)).files[0]!;
  await waitFor(async () => (await statusOf(w)).files[0]!.readBytes > readBytes + 500_000, {
    timeoutMs: 60_000,
    what: 'lines flow to the other partitions',
  });
  expect(
    (await w.host.metric('skald_agent_partition_moves_total', { reason: 'unhealthy' })) +
      (await w.host.metric('skald_agent_partition_moves_total', { reason: 'no-leader' })),
  ).toBeGreaterThan(0);
  await stack.startBroker(1);
  expect(await judge(w, await writing.stop())).toEqual(EACH_ONCE_IN_ORDER);
});

test('too few replicas in sync (NOT_ENOUGH_REPLICAS): said, counted, and each line once when they are back', async () => {
  const w = await world([[1, 2]]); // two in sync are the least that the cluster takes
  const writing = keepWriting(w.log, LINES_PER_SECOND);
  await arrived(w.topic, 1_000);
  await stack.killBroker(2);
  await waitFor(async () => (await errors(w.host, 'NOT_ENOUGH_REPLICAS')) > 0, {
    timeoutMs: 60_000,
    what: 'the agent counts NOT_ENOUGH_REPLICAS',
  });
  expect(w.agent.stderr()).toContain('NOT_ENOUGH_REPLICAS');
  await stack.startBroker(2);
  expect(await judge(w, await writing.stop())).toEqual(EACH_ONCE_IN_ORDER);
});

test('a broker that is stopped and answers nothing, its connections open: lines go elsewhere, each once', async () => {
  const w = await world(
    [
      [1, 2, 3],
      [2, 3, 1],
    ],
    'partitioner:\n  stickyMs: 500\n',
  );
  const writing = keepWriting(w.log, LINES_PER_SECOND);
  await arrived(w.topic, 1_000);
  stack.pauseBroker(1);
  const others = stack.bootstrap.slice(1);
  const before = await countRecords(w.topic, others).catch(() => 0);
  await arrived(w.topic, before + 10 * LINES_PER_SECOND, others);
  stack.resumeBroker(1);
  await inSync(w.topic, 3, others);
  expect(await judge(w, await writing.stop())).toEqual(EACH_ONCE_IN_ORDER);
});
