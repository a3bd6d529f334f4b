import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createTopic, describeTopic, topicIsReady } from '../../../scripts/stack/kafka-admin.ts';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { type LocalStack, startStack } from '../../../scripts/stack/stack.ts';
import { arrived, countRecords, readValues } from '../../support/read-topic.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { agentHost, peakMemoryBytes } from './agent-host.ts';
import { judgeLines, lineWriter } from './line-writer.ts';

const NOTHING_WRONG = { missing: [], doubled: [] };
const MIB = 1024 * 1024;

async function ownStack(brokers: 1 | 3): Promise<LocalStack> {
  const stack = await startStack({ brokers, s3: false });
  onTestFinished(() => stack.stop());
  return stack;
}

test('a topic that does not exist yet: said at the start, and the lines flow when somebody creates it', async () => {
  const topic = uniqueName('later');
  const host = await agentHost({ app: { topic } });
  await writeFile(join(host.logs, 'app', 'app.log'), 'one\ntwo\n');
  const agent = host.start();
  await waitFor(() => agent.stderr().includes('KAFKA_TOPIC_MISSING'), {
    timeoutMs: 60_000,
    what: 'the agent says that the topic is missing',
  });
  expect(await host.status('app')).toMatchObject({ ready: false });
  await createTopic(sharedStack().bootstrap, topic, { partitions: 3 });
  await arrived(topic, 2);
  expect((await readValues(topic)).toString()).toBe('one\ntwo\n');
});

test('leaders move while lines flow: each line once, in order', async () => {
  const { bootstrap } = sharedStack();
  const topic = await freshTopic({ replicaAssignment: [[1, 2, 3]] });
  const host = await agentHost({ app: { topic } });
  const writer = lineWriter(join(host.logs, 'app', 'app.log'));
  host.start();
  await arrived(topic, 1);
  const lead = async (replicas: number[]): Promise<void> => {
    const plan = join(host.logs, 'plan.json');
    await writeFile(plan, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, replicas }] }));
    const server = `--bootstrap-server=${bootstrap.join(',')}`;
    const reassign = 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand';
    await kafkaTool(reassign, [server, `--reassignment-json-file=${plan}`, '--execute']);
    const election = ['--election-type=preferred', `--topic=${topic}`, '--partition=0'];
    await kafkaTool('org.apache.kafka.tools.LeaderElectionCommand', [server, ...election]);
    await waitFor(async () => (await describeTopic(bootstrap, topic))[0]!.leader === replicas[0], {
      timeoutMs: 60_000,
      what: `broker ${replicas[0]} leads`,
    });
  };
  await lead([2, 1, 3]);
  await lead([1, 2, 3]);
  const written = await writer.stop();
  await arrived(topic, written);
  const expected = Array.from({ length: written }, (_, i) => `line ${i + 1} \n`).join('');
  expect((await readValues(topic)).equals(Buffer.from(expected))).toBe(true);
});

test('a broker is killed in mid-stream, with a rotation while it is away: each line once', async () => {
  const stack = await ownStack(3);
  const topic = await freshTopic({ partitions: 6 }, stack.bootstrap);
  const host = await agentHost(
    { app: { topic, yaml: 'partitioner:\n  stickyMs: 100\n  stickyBytes: 64KiB\n' } },
    { bootstrap: stack.bootstrap },
  );
  const log = join(host.logs, 'app', 'app.log');
  const writer = lineWriter(log, '.'.repeat(100));
  const agent = host.start();
  await arrived(topic, 1_000, stack.bootstrap);
  await stack.killBroker(1); // it leads the partitions of the agent's rack
  await writer.rotate(`${log}.1`);
  await arrived(topic, writer.written + 5_000, stack.bootstrap.slice(1));
  await stack.startBroker(1);
  const written = await writer.stop();
  await arrived(topic, written, stack.bootstrap);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  expect(judgeLines(await readValues(topic, stack.bootstrap), written)).toEqual(NOTHING_WRONG);
  expect(await countRecords(topic, stack.bootstrap)).toBe(written);
});

test('all brokers are down at the start, then hang, while a file of 256 MiB waits: bounded memory, each line once', async () => {
  const stack = await ownStack(1);
  const topic = uniqueName('test');
  const settings = { partitions: 2, settings: { 'segment.bytes': String(64 * MIB) } };
  await createTopic(stack.bootstrap, topic, settings);
  await waitFor(() => topicIsReady(stack.bootstrap, topic, 2), { timeoutMs: 30_000, what: 'the topic' });
  await stack.killBroker(1);

  const host = await agentHost(
    { app: { topic } },
    { bootstrap: stack.bootstrap, agent: 'limits:\n  memoryBytes: 16MiB\nshutdownTimeoutMs: 1s\n' },
  );
  // 256 MiB of lines of a kilobyte each.
  const lineCount = 256 * 1024;
  const file = await open(join(host.logs, 'app', 'big.log'), 'w');
  for (let at = 0; at < lineCount; at += 1024) {
    const lines = Array.from({ length: 1024 }, (_, i) => `line ${at + i + 1} `.padEnd(1023, 'abcdefgh'));
    await file.write(`${lines.join('\n')}\n`);
  }
  await file.close();

  const first = host.start();
  await waitFor(() => first.stderr().includes('KAFKA_UNREACHABLE'), {
    timeoutMs: 60_000,
    what: 'the agent says that no broker can be reached',
  });
  await stack.startBroker(1);
  await arrived(topic, 1, stack.bootstrap);

  stack.pauseBroker(1);
  let readBytes = -1;
  await waitFor(
    async () => {
      const now = (await host.status('app'))?.files[0]?.readBytes ?? -2;
      const stands = now === readBytes;
      readBytes = now;
      return stands;
    },
    { timeoutMs: 30_000, intervalMs: 1_000, what: 'the agent stops reading' },
  );
  expect(await host.metric('skald_agent_memory_bytes')).toBeLessThanOrEqual(16 * MIB);
  // Node and the worker take about 130 MiB; the file, or a few seconds of it, would show.
  expect(await peakMemoryBytes(first.pid)).toBeLessThan(230 * MIB);
  first.signal('SIGTERM');
  expect(await first.exited(30_000)).toMatchObject({ code: 0 });

  stack.resumeBroker(1);
  const second = host.start();
  await arrived(topic, lineCount, stack.bootstrap);
  second.signal('SIGTERM');
  await second.exited();
  expect(await countRecords(topic, stack.bootstrap)).toBe(lineCount);
  expect(judgeLines(await readValues(topic, stack.bootstrap), lineCount)).toEqual(NOTHING_WRONG);
  await rm(join(host.logs, 'app', 'big.log'));
});
