/** Brokers that hold a client back by a quota, which Apache's own tool sets. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { judgeTopic } from '../../support/judge-topic.ts';
import { numberedLog } from '../../support/numbered-log.ts';
import { arrived } from '../../support/read-topic.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { agentHost } from './agent-host.ts';

const BYTES_PER_SECOND = 100_000;
/** Kafka's quotas are over ten seconds (quota.window.num, quota.window.size.seconds): so much goes through at once. */
const WINDOW_SECONDS = 10;

async function setQuota(clientId: string, ...change: string[]): Promise<void> {
  const entity = ['--entity-type=clients', `--entity-name=${clientId}`];
  const server = `--bootstrap-server=${sharedStack().bootstrap[0]!}`;
  await kafkaTool('kafka.admin.ConfigCommand', [server, '--alter', ...entity, ...change]);
}

test('a quota on the client: the agent waits as long as brokers ask, counts it, and each line comes once, in order', async () => {
  const clientId = uniqueName('throttled');
  await setQuota(clientId, `--add-config=producer_byte_rate=${BYTES_PER_SECOND}`);
  onTestFinished(() => setQuota(clientId, '--delete-config=producer_byte_rate'));
  const topic = await freshTopic({ partitions: 3 });
  const host = await agentHost(
    { app: { topic, kafka: ['codec: none', 'batchBytes: 64KiB'] } },
    { cluster: [`clientId: ${clientId}`] },
  );
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  onTestFinished(() => log.close());
  const agent = host.start();
  log.write(20_000);
  const { sizeBytes } = await waitFor(
    async () => (await host.status('app'))?.files.find((file) => file.sizeBytes > 0),
    { timeoutMs: 60_000, what: 'the agent knows the file' },
  );
  expect(sizeBytes).toBeGreaterThan(1.3 * BYTES_PER_SECOND * WINDOW_SECONDS);
  await waitFor(async () => (await host.metric('skald_agent_throttled_seconds_total')) > 1, {
    timeoutMs: 60_000,
    what: 'the agent counts that it is held back',
  });
  await arrived(topic, log.written);
  // Held back is not refused, and nothing was sent twice because its answer came late.
  expect(await host.metric('skald_agent_produce_errors_total')).toBe(0);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  expect(await judgeTopic(topic, log.written)).toEqual({
    records: log.written,
    missing: [],
    doubled: [],
    outOfOrder: 0,
  });
});
