/** A network that fails without saying so, between an agent and a broker of this file's own. */
import { appendFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { findFreePorts, LOOPBACK } from '../../../scripts/stack/ports.ts';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { type LocalStack, startStack } from '../../../scripts/stack/stack.ts';
import { ProtocolReader } from '../../../shared/kafka/protocol.ts';
import { produceRequest } from '../../../shared/kafka/requests/produce.ts';
import { judgeTopic } from '../../support/judge-topic.ts';
import { keepWriting, numberedLog } from '../../support/numbered-log.ts';
import { countRecords, readValues } from '../../support/read-topic.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { type TcpProxy, tcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { agentHost, type PipelineFile } from './agent-host.ts';

const EACH_ONCE_IN_ORDER = { missing: [], doubled: [], outOfOrder: 0 };
/** Of a request and of a connection; half a minute and ten seconds by default. */
const TIMEOUT_MS = 1_000;
const ROUNDS = 12;
/** For what happens at once on a quiet machine. */
const PATIENCE_MS = 60_000;
/** For what happens after a time-out. With those by default it would come too late. */
const SOON_MS = 20 * TIMEOUT_MS;

let stack: LocalStack;
let proxy: TcpProxy;
let agentAddress: string;

beforeAll(async () => {
  const [plain, controller, behind, front, s3] = await findFreePorts(5);
  stack = await startStack({
    brokers: 1,
    s3: false,
    ports: { brokers: [plain!], controllers: [controller!], s3: s3! },
    brokerSettings: {
      listeners: `PLAINTEXT://${LOOPBACK}:${plain},CONTROLLER://${LOOPBACK}:${controller},AGENT://${LOOPBACK}:${behind}`,
      'advertised.listeners': `PLAINTEXT://${LOOPBACK}:${plain},AGENT://${LOOPBACK}:${front}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,AGENT:PLAINTEXT',
    },
  });
  proxy = await tcpProxy(front!, behind!);
  agentAddress = `${LOOPBACK}:${front}`;
});
afterAll(async () => {
  await proxy.close();
  await stack.stop();
});

function oneTopic(): Promise<string> {
  return freshTopic({ partitions: 1 }, stack.bootstrap);
}

async function world() {
  const topic = await freshTopic({ partitions: 2 }, stack.bootstrap);
  const host = await agentHost(
    { app: { topic, kafka: [`requestTimeoutMs: ${TIMEOUT_MS}`], yaml: 'partitioner:\n  stickyMs: 500\n' } },
    {
      bootstrap: [agentAddress],
      cluster: [`requestTimeoutMs: ${TIMEOUT_MS}`, `connectTimeoutMs: ${TIMEOUT_MS}`],
    },
  );
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  onTestFinished(() => log.close());
  const agent = host.start();
  const writing = keepWriting(log, 5_000);
  const count = (): Promise<number> => countRecords(topic, stack.bootstrap);
  const arrived = (records: number, timeoutMs = PATIENCE_MS): Promise<unknown> =>
    waitFor(async () => (await count()) >= records, { timeoutMs, what: `${records} records in ${topic}` });
  await arrived(1_000);
  return {
    host,
    log,
    count,
    arrived,
    /** Ends the writer, waits for all lines, ends the agent. */
    judge: async () => {
      const written = await writing.stop();
      await arrived(written);
      agent.signal('SIGTERM');
      expect(await agent.exited()).toMatchObject({ code: 0 });
      const { records: _, ...judgement } = await judgeTopic(topic, written, stack.bootstrap);
      return judgement;
    },
  };
}

test('answers are lost after the broker has appended, whole or half, and requests break off: each line once, in order', async () => {
  const w = await world();
  for (let round = 0; round < ROUNDS; round += 1) {
    proxy.loseAnswers(2);
    await waitFor(() => proxy.answersToLose === 0, { timeoutMs: PATIENCE_MS, what: 'two lost answers' });
    proxy.cutRequest();
    await w.arrived((await w.count()) + 1);
  }
  expect(await w.host.metric('skald_agent_produce_errors_total')).toBeGreaterThanOrEqual(ROUNDS);
  // Not even a batch of which the broker could not tell whether it has it: the order of a window survives its connections.
  expect(await w.host.metric('skald_agent_possible_duplicate_records_total')).toBe(0);
  expect(await w.judge()).toEqual(EACH_ONCE_IN_ORDER);
});

test('connections hang without closing: replaced after the request time-out, each line once, in order', async () => {
  const w = await world();
  for (let round = 0; round < 3; round += 1) {
    proxy.hangOpen();
    const behind = await w.count();
    await w.arrived(behind + 1_000, SOON_MS);
  }
  expect(await w.host.metric('skald_agent_produce_errors_total', { code: 'KAFKA_TIMEOUT' })).toBeGreaterThan(
    0,
  );
  expect(await w.judge()).toEqual(EACH_ONCE_IN_ORDER);
});

test('a broker takes connections and answers nothing: tried again after the connect time-out, each line once, in order', async () => {
  const w = await world();
  proxy.hangNew(true);
  proxy.hangOpen();
  const taken = proxy.connections;
  await waitFor(() => proxy.connections >= taken + 4, {
    timeoutMs: 2 * SOON_MS,
    what: 'new attempts to connect',
  });
  proxy.hangNew(false);
  const behind = await w.count();
  await w.arrived(behind + 1_000, SOON_MS);
  expect(await w.judge()).toEqual(EACH_ONCE_IN_ORDER);
});

const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;

test('killed with requests on their way, which come when their files are emptied and the next process has gone on: refused, each line that is left once', async () => {
  const topics = { together: await oneTopic(), apart: await oneTopic() };
  const pipeline = (topic: string, linger: string): PipelineFile => ({
    topic,
    defaultIntervals: true,
    kafka: ['requestTimeoutMs: 5m', `lingerMs: ${linger}`],
  });
  const host = await agentHost(
    { together: pipeline(topics.together, '3s'), apart: pipeline(topics.apart, '20ms') },
    { bootstrap: [agentAddress] },
  );
  const names = ['together', 'apart'] as const;
  const add = (pipelineName: string, file: string, lines: string): Promise<void> =>
    appendFile(join(host.logs, pipelineName, `${file}.log`), lines);
  const allAcknowledged = (records: number): Promise<unknown> =>
    waitFor(
      async () => {
        for (const name of names) {
          if ((await countRecords(topics[name], stack.bootstrap)) < records) return false;
          if ((await host.status(name))?.openIntents !== 0) return false;
        }
        return true;
      },
      { timeoutMs: PATIENCE_MS, what: `${records} acknowledged records in each topic` },
    );
  const held = (requests: number): Promise<unknown> =>
    waitFor(() => proxy.heldRequests === requests, {
      timeoutMs: PATIENCE_MS,
      what: `${requests} held requests`,
    });

  const first = host.start();
  for (const name of names) await add(name, 'emptied', 'before\n');
  await allAcknowledged(1);
  proxy.holdRequests();
  // One batch with lines of both files; and a batch for each.
  await Promise.all([add('together', 'emptied', 'gone 1\n'), add('together', 'kept', 'kept 1\nkept 2\n')]);
  await held(1);
  await add('apart', 'emptied', 'gone 1\n');
  await held(2);
  await add('apart', 'kept', 'kept 1\nkept 2\n');
  await held(3);
  first.signal('SIGKILL');
  await first.exited();
  for (const name of names) await truncate(join(host.logs, name, 'emptied.log'));

  const second = host.start();
  await allAcknowledged(3);
  const produced = produceRequest({ partitions: [], timeoutMs: 0 });
  const answers = (await proxy.releaseRequests()).map(
    (answer) => produced.decode(new ProtocolReader(answer.subarray(4))), // behind the correlation id
  );
  expect(answers.map(({ partitions }) => partitions[0]!.errorCode)).toEqual(
    [1, 2, 3].map(() => OUT_OF_ORDER_SEQUENCE_NUMBER),
  );
  expect(await host.metric('skald_agent_possible_duplicate_records_total')).toBe(0);
  expect(await host.metric('skald_agent_lost_bytes_total', { reason: 'source-gone' })).toBe(
    2 * 'gone 1\n'.length,
  );
  second.signal('SIGTERM');
  await second.exited();
  for (const name of names) {
    expect((await readValues(topics[name], stack.bootstrap)).toString()).toBe('before\nkept 1\nkept 2\n');
  }
});

test('a request is late, its batch is refused as too large when it goes again, and the limit is raised before it comes: refused, each line once', async () => {
  const topic = await oneTopic();
  const alter = (...change: string[]): Promise<unknown> =>
    kafkaTool('kafka.admin.ConfigCommand', [
      `--bootstrap-server=${stack.bootstrap[0]!}`,
      '--entity-type=topics',
      `--entity-name=${topic}`,
      '--alter',
      ...change,
    ]);
  // Long enough that no other request runs into it: a connection that is replaced keeps nothing.
  const kafka = ['requestTimeoutMs: 2s', 'codec: none', 'lingerMs: 1s'];
  const host = await agentHost(
    { app: { topic, kafka, defaultIntervals: true } },
    { bootstrap: [agentAddress] },
  );
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  onTestFinished(() => log.close());
  const acknowledged = (records: number): Promise<unknown> =>
    waitFor(
      async () =>
        (await countRecords(topic, stack.bootstrap)) >= records &&
        (await host.status('app'))?.openIntents === 0,
      { timeoutMs: PATIENCE_MS, what: `${records} acknowledged records` },
    );
  const agent = host.start();
  log.write(1);
  await acknowledged(1);
  await alter('--add-config=max.message.bytes=20000');
  proxy.holdRequests();
  log.write(1_000); // some 100 KB
  await waitFor(() => proxy.heldRequests > 0, { timeoutMs: PATIENCE_MS, what: 'a request on its way' });
  await acknowledged(1_001);
  expect(
    await host.metric('skald_agent_produce_errors_total', { code: 'MESSAGE_TOO_LARGE' }),
  ).toBeGreaterThan(0);
  await alter('--delete-config=max.message.bytes');
  const produced = produceRequest({ partitions: [], timeoutMs: 0 });
  const codes = (await proxy.releaseRequests()).map(
    (answer) => produced.decode(new ProtocolReader(answer.subarray(4))).partitions[0]!.errorCode,
  );
  expect(new Set(codes)).toEqual(new Set([OUT_OF_ORDER_SEQUENCE_NUMBER]));
  agent.signal('SIGTERM');
  expect(await agent.exited()).toMatchObject({ code: 0 });
  expect(await judgeTopic(topic, log.written, stack.bootstrap)).toMatchObject(EACH_ONCE_IN_ORDER);
});
