import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { arrived, readValues } from '../../support/read-topic.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { agentHost } from './agent-host.ts';

async function setTopic(topic: string, setting: string): Promise<void> {
  const entity = ['--entity-type=topics', `--entity-name=${topic}`, '--alter', `--add-config=${setting}`];
  const server = `--bootstrap-server=${sharedStack().bootstrap[0]!}`;
  await kafkaTool('kafka.admin.ConfigCommand', [server, ...entity]);
}

test('max.message.bytes is lowered while the agent runs: what is too large now is cut smaller and delivered, in order', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const host = await agentHost({ app: { topic, kafka: ['codec: none', 'batchBytes: 256KiB'] } });
  const log = join(host.logs, 'app', 'app.log');
  const line = (n: number): string => `line ${n} `.padEnd(1_000, 'x');
  const many = (from: number, count: number): string =>
    Array.from({ length: count }, (_, i) => `${line(from + i)}\n`).join('');
  await writeFile(log, many(1, 100));
  const agent = host.start();
  await arrived(topic, 100);

  await setTopic(topic, 'max.message.bytes=30000');
  // Batches of 250 lines, and one line that does not fit by itself any more.
  const long = `long ${'y'.repeat(59_995)}`;
  await appendFile(log, `${many(101, 400)}${long}\n${many(501, 100)}`);
  const pieces = Math.ceil(60_000 / (30_000 - 4_096 - 118));
  await arrived(topic, 600 + pieces);

  const lines = (await readValues(topic)).toString().trimEnd().split('\n');
  expect(lines.filter((text) => text.startsWith('line'))).toEqual(
    Array.from({ length: 600 }, (_, i) => line(i + 1)),
  );
  expect(lines.slice(500, -100).join('')).toBe(long);
  expect(
    await host.metric('skald_agent_produce_errors_total', { code: 'MESSAGE_TOO_LARGE' }),
  ).toBeGreaterThan(0);
  expect(await host.metric('skald_agent_possible_duplicate_records_total')).toBe(0);
  expect(await host.metric('skald_agent_lost_bytes_total')).toBe(0);
  expect(await host.metric('skald_agent_memory_bytes')).toBe(0);
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
});

test('a pipeline whose journal cannot be read: said with its name, and the other one flows', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const host = await agentHost({ broken: { topic }, sound: { topic } });
  await mkdir(join(host.stateDir, 'pipelines', 'broken', 'journal'), { recursive: true });
  await writeFile(join(host.logs, 'broken', 'app.log'), 'waits in its file\n');
  await writeFile(join(host.logs, 'sound', 'app.log'), 'flows\n');
  const agent = host.start();
  await arrived(topic, 1);
  const said = agent
    .stderr()
    .split('\n')
    .filter((text) => text.includes('"level":"error"'));
  expect(said).toHaveLength(1);
  expect(JSON.parse(said[0]!)).toMatchObject({ pipeline: 'broken' });
  agent.signal('SIGTERM');
  await agent.exited();
  expect((await readValues(topic)).toString()).toBe('flows\n');
});

test('a second agent on the same state directory refuses to start, and the first goes on', async () => {
  const topic = await freshTopic({ partitions: 1 });
  const host = await agentHost({ app: { topic } });
  const log = join(host.logs, 'app', 'app.log');
  const first = host.start();
  await writeFile(log, 'one\n');
  await arrived(topic, 1);
  const second = host.start();
  const exit = await second.exited();
  expect(exit.code).not.toBe(0);
  expect(exit.stderr).toContain('STATE_DIR_LOCKED');
  await appendFile(log, 'two\n');
  await arrived(topic, 2);
  first.signal('SIGKILL');
  await first.exited();
  const third = host.start();
  await appendFile(log, 'three\n');
  await arrived(topic, 3);
  third.signal('SIGTERM');
  await third.exited();
  expect((await readValues(topic)).toString()).toBe('one\ntwo\nthree\n');
});
