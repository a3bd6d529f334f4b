/** What happens to the topic of a pipeline while the agent runs. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { createTopic, describeTopic, topicIsReady } from '../../../scripts/stack/kafka-admin.ts';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { judgeTopic } from '../../support/judge-topic.ts';
import { type NumberedLog, numberedLog } from '../../support/numbered-log.ts';
import { arrived, readTopic } from '../../support/read-topic.ts';
import type { RunningSkald } from '../../support/run-skald.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { agentHost, type AgentHost } from './agent-host.ts';

const WAIT_MS = 60_000;
/** So that every partition has batches. */
const ROUND_ROBIN = 'partitioner:\n  type: round-robin\n  rack: ignore\n';

async function alterTopic(topic: string, ...args: string[]): Promise<void> {
  const server = `--bootstrap-server=${sharedStack().bootstrap[0]!}`;
  await kafkaTool('org.apache.kafka.tools.TopicCommand', [server, `--topic=${topic}`, ...args]);
}

async function deleteTopic(topic: string): Promise<void> {
  const { bootstrap } = sharedStack();
  await alterTopic(topic, '--delete');
  await Promise.all(
    bootstrap.map((address) =>
      waitFor(
        async () => {
          try {
            await describeTopic([address], topic);
            return undefined;
          } catch {
            return true;
          }
        },
        { timeoutMs: WAIT_MS, what: `${address} knows no topic ${topic}` },
      ),
    ),
  );
}

async function recreateTopic(topic: string, partitions: number): Promise<void> {
  const { bootstrap } = sharedStack();
  await createTopic(bootstrap, topic, { partitions });
  await waitFor(() => topicIsReady(bootstrap, topic, partitions), { timeoutMs: WAIT_MS, what: topic });
}

async function allAcknowledged(host: AgentHost, pipeline = 'app'): Promise<void> {
  await waitFor(async () => (await host.status(pipeline))?.lagBytes === 0, {
    timeoutMs: WAIT_MS,
    what: 'the acknowledgement of all lines',
  });
}

async function someWithoutAnswer(host: AgentHost): Promise<void> {
  await waitFor(async () => ((await host.status('app'))?.openIntents ?? 0) > 0, {
    timeoutMs: WAIT_MS,
    what: 'batches without an acknowledgement',
  });
}

/** Ends the agent and the log; what is in the topic then. */
async function endAndJudge(agent: RunningSkald, topic: string, log: NumberedLog) {
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  log.close();
  const { records, doubled } = await judgeTopic(topic, log.written);
  return { records, doubled };
}

test.each([
  ['as many', 3],
  ['fewer', 1],
  ['more', 5],
])(
  'deleted and made again with %s partitions while batches have no answer: each line once in one of the two',
  async (_, partitions) => {
    const topic = await freshTopic({ partitions: 3 });
    const host = await agentHost({ app: { topic, yaml: ROUND_ROBIN } });
    const log = numberedLog(join(host.logs, 'app', 'app.log'));
    const agent = host.start();
    // Line by line, so that each partition has batches.
    for (let i = 1; i <= 12; i += 1) {
      log.write(1);
      await arrived(topic, i);
    }
    await allAcknowledged(host);
    await deleteTopic(topic);
    log.write(500);
    await someWithoutAnswer(host);
    log.write(500);
    await recreateTopic(topic, partitions);
    await arrived(topic, 1_000);
    await allAcknowledged(host);
    expect(await host.metric('skald_agent_acknowledged_records_total')).toBe(log.written);
    expect(await host.metric('skald_agent_possible_duplicate_records_total')).toBe(0);
    agent.signal('SIGTERM');
    expect(await agent.exited()).toMatchObject({ code: 0 });
    const { missing, doubled } = await judgeTopic(topic, log.written);
    expect(doubled).toEqual([]);
    expect(missing).toEqual(Array.from({ length: 12 }, (_item, i) => i + 1)); // they were in the topic that was deleted
    log.close();
  },
);

test('deleted and made again while the agent is down with batches without an answer: each line once', async () => {
  const topic = await freshTopic({ partitions: 3 });
  const host = await agentHost({ app: { topic, yaml: ROUND_ROBIN } });
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  const first = host.start();
  log.write(10);
  await arrived(topic, 10);
  await allAcknowledged(host);
  await deleteTopic(topic);
  log.write(500);
  await someWithoutAnswer(host);
  first.signal('SIGKILL');
  await first.exited();
  await recreateTopic(topic, 1);
  const second = host.start();
  await arrived(topic, 500);
  await allAcknowledged(host);
  expect(await endAndJudge(second, topic, log)).toEqual({ records: 500, doubled: [] });
});

test('deleted and not made again: said, the other pipeline flows, the agent stops in time, and nothing is lost', async () => {
  const topic = await freshTopic({ partitions: 3 });
  const other = await freshTopic({ partitions: 1 });
  const host = await agentHost(
    { app: { topic }, other: { topic: other } },
    { agent: 'shutdownTimeoutMs: 2s\n' },
  );
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  const first = host.start();
  log.write(10);
  await arrived(topic, 10);
  await allAcknowledged(host);
  await deleteTopic(topic);
  log.write(5_000);
  await someWithoutAnswer(host);
  await writeFile(join(host.logs, 'other', 'other.log'), 'flows\n');
  await arrived(other, 1);
  await waitFor(() => first.stderr().includes('KAFKA_TOPIC_MISSING'), {
    timeoutMs: WAIT_MS,
    what: 'a word of it',
  });
  first.signal('SIGTERM');
  expect(await first.exited(30_000)).toMatchObject({ code: 0 });

  const second = host.start();
  await recreateTopic(topic, 3);
  await arrived(topic, 5_000);
  await allAcknowledged(host);
  expect(await endAndJudge(second, topic, log)).toEqual({ records: 5_000, doubled: [] });
});

test('partitions are added: they are used without a restart, and each line comes once', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const host = await agentHost({ app: { topic, yaml: ROUND_ROBIN } });
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  const agent = host.start();
  log.write(100);
  await arrived(topic, 100);
  await alterTopic(topic, '--alter', '--partitions=4');
  await waitFor(
    async () => {
      log.write(10);
      return new Set((await readTopic(topic)).map(({ partition }) => partition)).size === 4;
    },
    { timeoutMs: WAIT_MS, what: 'lines in each of four partitions' },
  );
  await allAcknowledged(host);
  agent.signal('SIGTERM');
  await agent.exited();
  expect(await judgeTopic(topic, log.written)).toMatchObject({ missing: [], doubled: [], outOfOrder: 0 });
  log.close();
});

test('the pipeline is given another topic while batches have no answer: they go there, and are counted', async () => {
  const former = await freshTopic({ partitions: 3 });
  const topic = await freshTopic({ partitions: 2 });
  const host = await agentHost(
    { app: { topic: former, yaml: ROUND_ROBIN } },
    { agent: 'shutdownTimeoutMs: 1s\n' },
  );
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  const agent = host.start();
  log.write(10);
  await arrived(former, 10);
  await allAcknowledged(host);
  await deleteTopic(former);
  log.write(500);
  await someWithoutAnswer(host);
  const file = join(dirname(host.stateDir), 'pipelines', 'app.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace(former, topic));
  agent.signal('SIGHUP');
  await arrived(topic, 500);
  await allAcknowledged(host);
  expect(await host.metric('skald_agent_possible_duplicate_records_total')).toBeGreaterThan(0);
  expect(agent.stderr()).toContain('has another target');
  expect(await endAndJudge(agent, topic, log)).toEqual({ records: 500, doubled: [] });
});
