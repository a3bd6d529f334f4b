/** Topics that refuse batches as they stand: what can be repaired is waited for, what cannot is built anew. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTopic, topicIsReady } from '../../../scripts/stack/kafka-admin.ts';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { judgeTopic } from '../../support/judge-topic.ts';
import { numberedLog } from '../../support/numbered-log.ts';
import { arrived } from '../../support/read-topic.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { agentHost } from './agent-host.ts';

const WAIT_MS = 60_000;

test('a batch that waited longer than its topic takes (message.timestamp.before.max.ms) goes with the time of now', async () => {
  const { bootstrap } = sharedStack();
  const topic = uniqueName('late');
  const host = await agentHost({ app: { topic } });
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  // Batches that are closed, written down and have no answer: their partition is without a leader that knows them.
  await createTopic(bootstrap, topic, { partitions: 1 });
  await waitFor(() => topicIsReady(bootstrap, topic, 1), { timeoutMs: WAIT_MS, what: topic });
  const first = host.start();
  log.write(1);
  await arrived(topic, 1);
  const server = `--bootstrap-server=${bootstrap[0]!}`;
  await kafkaTool('org.apache.kafka.tools.TopicCommand', [server, `--topic=${topic}`, '--delete']);
  log.write(300);
  await waitFor(async () => ((await host.status('app'))?.openIntents ?? 0) > 0, {
    timeoutMs: WAIT_MS,
    what: 'a batch without an acknowledgement',
  });
  const closedByMs = Date.now();
  first.signal('SIGKILL');
  await first.exited();

  const MAX_AGE_MS = 1_000;
  const settings = { 'message.timestamp.before.max.ms': String(MAX_AGE_MS) };
  await waitFor(
    async () => {
      try {
        await createTopic(bootstrap, topic, { partitions: 1, settings });
        return true;
      } catch {
        return undefined; // it is still being deleted
      }
    },
    { timeoutMs: WAIT_MS, what: 'the topic made again' },
  );
  await waitFor(() => topicIsReady(bootstrap, topic, 1), { timeoutMs: WAIT_MS, what: topic });
  await waitFor(() => Date.now() - closedByMs > 2 * MAX_AGE_MS, {
    timeoutMs: WAIT_MS,
    what: 'the batch to be older than the topic takes',
  });
  const second = host.start();
  await arrived(topic, 300);
  await waitFor(async () => (await host.status('app'))?.lagBytes === 0, { timeoutMs: WAIT_MS, what: 'rest' });
  expect(
    await host.metric('skald_agent_produce_errors_total', { code: 'INVALID_TIMESTAMP' }),
  ).toBeGreaterThan(0);
  expect(await host.metric('skald_agent_possible_duplicate_records_total')).toBe(0);
  second.signal('SIGTERM');
  expect(await second.exited()).toMatchObject({ code: 0 });
  const { records, doubled } = await judgeTopic(topic, log.written);
  expect({ records, doubled }).toEqual({ records: 300, doubled: [] });
  log.close();
});

test('a compacted topic, which refuses records without a key: said, the other pipeline flows, repaired, and all comes once', async () => {
  const topic = await freshTopic({ partitions: 1, settings: { 'cleanup.policy': 'compact' } });
  const other = await freshTopic({ partitions: 1 });
  const host = await agentHost({ app: { topic }, other: { topic: other } });
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  const otherLog = numberedLog(join(host.logs, 'other', 'other.log'));
  const agent = host.start();
  log.write(200);
  await waitFor(() => agent.stderr().includes('INVALID_RECORD'), {
    timeoutMs: WAIT_MS,
    what: 'a word of it',
  });
  otherLog.write(100);
  await arrived(other, 100);
  const entity = ['--entity-type=topics', `--entity-name=${topic}`, '--alter'];
  const server = `--bootstrap-server=${sharedStack().bootstrap[0]!}`;
  await kafkaTool('kafka.admin.ConfigCommand', [server, ...entity, '--add-config=cleanup.policy=delete']);
  await arrived(topic, 200);
  await waitFor(async () => (await host.status('app'))?.lagBytes === 0, { timeoutMs: WAIT_MS, what: 'rest' });
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  expect(await judgeTopic(topic, log.written)).toMatchObject({ missing: [], doubled: [], outOfOrder: 0 });
  log.close();
  otherLog.close();
});
