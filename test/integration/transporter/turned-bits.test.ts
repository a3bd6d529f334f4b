/** Bits that turn once on the way from a broker of this file's own; TCP's checksum of 16 bits lets some through. */
import { expect, it, onTestFinished } from 'vitest';
import { findFreePorts, LOOPBACK } from '../../../scripts/stack/ports.ts';
import { startStack } from '../../../scripts/stack/stack.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { tcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { startCarrying } from './carry-all.ts';
import { kafka } from './transporter-files.ts';

const PATIENCE_MS = 90_000;
const BATCH_RECORDS = 20;
const LAGGING = 4;
const LIVE = 3;

async function proxiedBroker() {
  const [plain, controller, behind, front, s3] = await findFreePorts(5);
  const stack = await startStack({
    brokers: 1,
    s3: false,
    ports: { brokers: [plain!], controllers: [controller!], s3: s3! },
    brokerSettings: {
      listeners: `PLAINTEXT://${LOOPBACK}:${plain},CONTROLLER://${LOOPBACK}:${controller},FAULTY://${LOOPBACK}:${behind}`,
      'advertised.listeners': `PLAINTEXT://${LOOPBACK}:${plain},FAULTY://${LOOPBACK}:${front}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,FAULTY:PLAINTEXT',
    },
  });
  onTestFinished(() => stack.stop());
  const proxy = await tcpProxy(front!, behind!);
  onTestFinished(() => proxy.close());
  return { stack, proxy, faulty: [`${LOOPBACK}:${front}`] };
}

it('a bit turns in each batch, once: fetched again, each record comes once, and nothing goes to the quarantine', async () => {
  const { stack, proxy, faulty } = await proxiedBroker();
  const topic = await freshTopic({ partitions: 1 }, stack.bootstrap);
  const producer = kafka(stack.bootstrap).producer();
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  const sent: string[] = [];
  /** Told apart from all others by its name, which stands in it so often that some of it comes in one piece. */
  const produce = async (batch: number): Promise<void> => {
    const name = `<batch ${batch}>`;
    proxy.turnBitOf(Buffer.from(name));
    const values = Array.from({ length: BATCH_RECORDS }, (_, i) => `${i} ${name}`);
    sent.push(...values);
    await producer.send({ topic, messages: values.map((value) => ({ value })) });
  };
  for (let batch = 0; batch < LAGGING; batch += 1) await produce(batch);
  const carrying = await startCarrying(topic, { stack: { bootstrap: faulty, s3: sharedStack().s3 } });
  for (let batch = LAGGING; batch < LAGGING + LIVE; batch += 1) {
    await waitFor(() => proxy.bitsToTurn === 0, { timeoutMs: PATIENCE_MS, what: 'every bit has turned' });
    await carrying.isDone();
    await produce(batch);
  }
  await waitFor(() => proxy.bitsToTurn === 0, { timeoutMs: PATIENCE_MS, what: 'every bit has turned' });
  await carrying.isDone();
  const { records, quarantined } = await carrying.stored();
  expect(quarantined).toEqual([]);
  expect(records.map(({ offset, value }) => ({ offset, value }))).toEqual(
    sent.map((value, offset) => ({ offset, value })),
  );
}, 240_000);
