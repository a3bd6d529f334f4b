/** A network that fails without saying so, between an agent and a broker of this file's own. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { findFreePorts, LOOPBACK } from '../../../scripts/stack/ports.ts';
import { type LocalStack, startStack } from '../../../scripts/stack/stack.ts';
import { judgeTopic } from '../../support/judge-topic.ts';
import { keepWriting, numberedLog } from '../../support/numbered-log.ts';
import { countRecords } from '../../support/read-topic.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { type TcpProxy, tcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { agentHost } from './agent-host.ts';

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
