import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { startStack } from '../../../scripts/stack/stack.ts';
import { LATEST, listOffsetsRequest } from '../../../shared/kafka/requests/list-offsets.ts';
import { countRecords, readValues } from '../../support/read-topic.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { client } from '../kafka/client.ts';
import { agentHost } from './agent-host.ts';

/** Brokers that forget an idle producer after seconds; a day and ten minutes by default. */
const FORGETFUL = {
  'producer.id.expiration.ms': '4000',
  'producer.id.expiration.check.interval.ms': '500',
};

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join('');

test('killed before the answer came, and back when the broker has forgotten the producer: each line once', async () => {
  const stack = await startStack({ s3: false, brokerSettings: FORGETFUL });
  onTestFinished(() => stack.stop());
  const { bootstrap } = stack;
  const topic = await freshTopic({ replicaAssignment: [[1, 2]] }, bootstrap);
  const host = await agentHost({ app: { topic } }, { bootstrap });
  const log = join(host.logs, 'app', 'app.log');
  const arrived = (records: number): Promise<unknown> =>
    waitFor(async () => (await countRecords(topic, bootstrap)) >= records, {
      timeoutMs: 60_000,
      what: `${records} records in ${topic}`,
    });

  const first = host.start();
  await appendFile(log, lines(1, 100));
  await arrived(100);
  await waitFor(async () => (await host.status('app'))?.openIntents === 0, {
    timeoutMs: 60_000,
    what: 'the acknowledgement',
  });

  // The leader appends and waits for its follower, and the agent for the leader.
  stack.pauseBroker(2);
  await appendFile(log, lines(101, 150));
  const cluster = client({ brokers: [...bootstrap] });
  await cluster.metadata([topic]);
  const partitions = [{ topic, partition: 0, timestamp: LATEST }];
  const logEnd = listOffsetsRequest({ isolation: 'read_uncommitted', partitions, logEnd: true });
  await waitFor(async () => (await cluster.send(1, 'control', logEnd)).partitions[0]!.offset === 150, {
    timeoutMs: 60_000,
    what: 'the batch in the log of the leader',
  });
  first.signal('SIGKILL');
  await first.exited();
  stack.resumeBroker(2);
  await arrived(150);

  const server = `--bootstrap-server=${bootstrap[0]!}`;
  const describe = [server, 'describe-producers', `--topic=${topic}`, '--partition=0'];
  await waitFor(
    async () => {
      const { stdout } = await kafkaTool('org.apache.kafka.tools.TransactionsCommand', describe);
      return stdout.trim().split('\n').length === 1; // the head of the table
    },
    { timeoutMs: 60_000, what: 'the broker has forgotten the producer' },
  );

  await appendFile(log, lines(151, 200));
  const second = host.start();
  await arrived(200);
  await waitFor(async () => (await host.status('app'))?.lagBytes === 0, {
    timeoutMs: 60_000,
    what: 'the acknowledgement of all lines',
  });
  expect(await host.metric('skald_agent_replayed_batches_total', { outcome: 'found' })).toBeGreaterThan(0);
  expect(await host.metric('skald_agent_possible_duplicate_records_total')).toBe(0);
  second.signal('SIGTERM');
  await second.exited();
  expect((await readValues(topic, bootstrap)).toString()).toBe(lines(1, 200));
});
