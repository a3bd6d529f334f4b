import { expect, onTestFinished, test } from 'vitest';
import { findFreePorts } from '../../../scripts/stack/ports.ts';
import { startStack } from '../../../scripts/stack/stack.ts';
import { sharedStack } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { client } from './client.ts';

test('a port where nobody listens: KAFKA_UNREACHABLE, soon', async () => {
  const [port] = await findFreePorts(1);
  const started = performance.now();
  await expect(client({ brokers: [`127.0.0.1:${port}`] }).metadata([])).rejects.toMatchObject({
    code: 'KAFKA_UNREACHABLE',
    message: expect.stringContaining(`127.0.0.1:${port}`),
  });
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('TLS to a listener without it: KAFKA_TLS', async () => {
  await expect(client({ tls: true }).metadata([])).rejects.toMatchObject({ code: 'KAFKA_TLS' });
});

test('SASL to a listener without it is not taken for the network', async () => {
  const sasl = { mechanism: 'plain', username: 'u', password: 'p' } as const;
  await expect(client({ sasl }).metadata([])).rejects.toMatchObject({ code: 'KAFKA_AUTHENTICATION' });
});

test('one broker of several is enough to find the others', async () => {
  const { bootstrap, brokers } = sharedStack();
  const [port] = await findFreePorts(1);
  const view = await client({ brokers: [`127.0.0.1:${port}`, bootstrap[1]!] }).metadata([]);
  expect(view.brokers.size).toBe(brokers.length);
});

test('a broker that is down at the start, then up, then killed', async () => {
  const stack = await startStack({ brokers: 1, s3: false });
  onTestFinished(() => stack.stop());
  await stack.killBroker(1);
  const cluster = client({ brokers: stack.bootstrap });
  const asks = (): Promise<unknown> => cluster.metadata([]);
  await expect(asks()).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE', retryable: true });
  await stack.startBroker(1);
  await waitFor(asks, { timeoutMs: 60_000, what: 'the broker answers' });
  await stack.killBroker(1);
  await expect(asks()).rejects.toMatchObject({ retryable: true });
});
