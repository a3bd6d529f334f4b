import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openCluster, parseBrokerAddress } from '../../../shared/kafka/cluster.ts';
import { ProtocolWriter } from '../../../shared/kafka/protocol.ts';
import { heartbeatRequest } from '../../../shared/kafka/requests/group.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import {
  type FakeAnswer,
  type FakeBroker,
  fakeBroker,
  type FakeRequest,
  SASL_AUTHENTICATE,
  SASL_HANDSHAKE,
} from './fake-broker.ts';

const METADATA = 3;
const heartbeat = heartbeatRequest({
  groupId: 'g',
  memberId: 'm',
  groupInstanceId: undefined,
  generationId: 1,
});
const beat = new ProtocolWriter().int32(0).int16(0).finish();

/** Metadata v7 of these brokers, with ids from 1, and no topic. */
function metadataOf(brokers: readonly Pick<FakeBroker, 'host' | 'port'>[]): Buffer {
  const writer = new ProtocolWriter().int32(0);
  writer.array([...brokers.entries()], ([i, { host, port }]) =>
    writer
      .int32(i + 1)
      .string(host)
      .int32(port)
      .nullableString(undefined),
  );
  return writer
    .string('cluster')
    .int32(1)
    .array([], () => {})
    .finish();
}

/** Brokers that know each other, and a client that knows the first one. */
async function setUp(count: number, answer: (request: FakeRequest, id: number) => FakeAnswer = () => beat) {
  const brokers: FakeBroker[] = [];
  for (let id = 1; id <= count; id += 1) {
    brokers.push(
      await fakeBroker((request) =>
        request.apiKey === METADATA ? metadataOf(brokers) : answer(request, id),
      ),
    );
  }
  const addresses = brokers.map(({ host, port }) => `${host}:${port}`);
  return { brokers, addresses, cluster: connectTo(addresses.slice(0, 1)) };
}

function connectTo(
  addresses: readonly string[],
  options: { sasl?: boolean; requestTimeoutMs?: number } = {},
) {
  const sasl = { mechanism: 'plain', username: 'u', password: 'p' } as const;
  const cluster = openCluster(
    {
      brokers: addresses,
      clientId: 'skald',
      connectTimeoutMs: 500,
      requestTimeoutMs: options.requestTimeoutMs ?? 500,
      metadataMaxAgeMs: 60_000,
      ...(options.sasl === true && { sasl }),
    },
    { logger: silentLogger, random: () => 0 },
  );
  onTestFinished(() => cluster.close());
  return cluster;
}

describe('an address', () => {
  test.each([
    ['kafka-1.example.com:9092', 'kafka-1.example.com', 9092],
    ['127.0.0.1:29092', '127.0.0.1', 29_092],
    ['[::1]:9092', '::1', 9092],
  ])('%s', (address, host, port) => {
    expect(parseBrokerAddress(address)).toEqual({ host, port });
  });
});

describe('connections', () => {
  test('are opened when they are needed, one for each lane and broker', async () => {
    const { brokers, cluster } = await setUp(2);
    expect(brokers.map((broker) => broker.connections)).toEqual([0, 0]);
    await cluster.metadata([]);
    expect(brokers.map((broker) => broker.connections)).toEqual([1, 0]);
    await cluster.send(1, 'produce', heartbeat);
    await cluster.send(1, 'produce', heartbeat);
    await cluster.send(1, 'fetch', heartbeat);
    await cluster.send(2, 'fetch', heartbeat);
    expect(brokers.map((broker) => broker.connections)).toEqual([3, 1]);
  });

  test('with a name belong to one owner: a broker that holds one answer back holds up nobody else', async () => {
    const { brokers, cluster } = await setUp(1, ({ connection }) => (connection === 1 ? 'silence' : beat));
    await cluster.metadata([]);
    const stuck = cluster.send(1, 'produce/stuck', heartbeat).catch((error: unknown) => error);
    await vi.waitFor(() => expect(brokers[0]!.connections).toBe(2));
    expect(await cluster.send(1, 'produce/other', heartbeat)).toEqual({ errorCode: 0 });
    expect(await stuck).toMatchObject({ code: 'KAFKA_TIMEOUT' });
  });

  test('are shared by who asks at the same time', async () => {
    const { brokers, cluster } = await setUp(1);
    await cluster.metadata([]);
    await Promise.all(Array.from({ length: 20 }, () => cluster.send(1, 'produce', heartbeat)));
    expect(brokers[0]!.connections).toBe(2);
  });

  test('that broke are replaced, once for all who wait', async () => {
    const { brokers, cluster } = await setUp(1, ({ connection }) => (connection === 1 ? 'hang up' : beat));
    await cluster.metadata([]);
    await expect(cluster.send(1, 'produce', heartbeat)).rejects.toMatchObject({ code: 'KAFKA_DISCONNECTED' });
    await Promise.all(Array.from({ length: 20 }, () => cluster.send(1, 'produce', heartbeat)));
    expect(brokers[0]!.connections).toBe(3);
  });

  test('that broke are replaced, and requests go out in the order of the calls, also those that come meanwhile', async () => {
    const { brokers, cluster } = await setUp(1, ({ connection }) => (connection === 1 ? 'hang up' : beat));
    await cluster.metadata([]);
    await expect(cluster.send(1, 'produce', heartbeat)).rejects.toMatchObject({ code: 'KAFKA_DISCONNECTED' });
    const sent: Promise<unknown>[] = [];
    const send = (generationId: number): void => {
      const request = heartbeatRequest({
        groupId: 'g',
        memberId: 'm',
        groupInstanceId: undefined,
        generationId,
      });
      sent.push(cluster.send(1, 'produce', request));
    };
    for (let n = 1; n <= 3; n += 1) send(n);
    await Promise.resolve(); // the first ones have seen that they need another connection
    await Promise.resolve();
    for (let n = 4; n <= 6; n += 1) send(n);
    await Promise.all(sent);
    const heartbeats = brokers[0]!.requests.filter(({ connection }) => connection === 2);
    // Heartbeat v3: group id (a length of two bytes), then the generation.
    expect(heartbeats.map(({ body }) => body.readInt32BE(3))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('to a broker that is not in the metadata: KAFKA_UNREACHABLE, which can be tried again', async () => {
    const { cluster } = await setUp(1);
    await cluster.metadata([]);
    await expect(cluster.send(9, 'produce', heartbeat)).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      retryable: true,
    });
  });
});

describe('whoever answers first', () => {
  test('is asked, and the next one when it is down', async () => {
    const { brokers, addresses } = await setUp(3);
    await brokers[0]!.stop();
    await brokers[1]!.stop();
    const cluster = connectTo(addresses);
    expect(await cluster.sendToAny(heartbeat)).toEqual({ errorCode: 0 });
  });

  test('all known brokers have been replaced: the configured ones are asked', async () => {
    const { brokers, cluster } = await setUp(2);
    await cluster.metadata([]);
    // The metadata named brokers 1 and 2; the configuration names an address where another one stands now.
    const replacement = await fakeBroker(() => beat);
    await brokers[0]!.stop();
    await brokers[1]!.stop();
    const next = connectTo([`${replacement.host}:${replacement.port}`]);
    expect(await next.sendToAny(heartbeat)).toEqual({ errorCode: 0 });
    await expect(cluster.sendToAny(heartbeat)).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  });

  test('a refused login is not tried at every broker: each try may count towards a lock-out', async () => {
    const refuse = ({ apiKey }: FakeRequest): FakeAnswer => {
      const writer = new ProtocolWriter();
      if (apiKey === SASL_HANDSHAKE)
        return writer
          .int16(0)
          .array(['PLAIN'], (name) => writer.string(name))
          .finish();
      if (apiKey !== SASL_AUTHENTICATE) return 'silence';
      return writer.int16(58).string('refused').bytes(new Uint8Array(0)).int64(0).finish();
    };
    const { brokers, addresses } = await setUp(3, refuse);
    const cluster = connectTo(addresses, { sasl: true });
    await expect(cluster.sendToAny(heartbeat)).rejects.toMatchObject({ code: 'KAFKA_AUTHENTICATION' });
    expect(brokers.reduce((sum, broker) => sum + broker.connections, 0)).toBe(1);
  });
});

describe('the end', () => {
  test('rejects what is on its way, and everything after it', async () => {
    const { brokers, cluster } = await setUp(1, () => 'silence');
    await cluster.metadata([]);
    const sent = cluster.send(1, 'produce', heartbeat);
    await vi.waitFor(() => expect(brokers[0]!.requests).toHaveLength(2));
    await cluster.close();
    await cluster.close();
    await expect(sent).rejects.toMatchObject({ code: 'KAFKA_DISCONNECTED' });
    await expect(cluster.send(1, 'produce', heartbeat)).rejects.toMatchObject({
      code: 'KAFKA_DISCONNECTED',
      retryable: false,
    });
    await expect(cluster.sendToAny(heartbeat)).rejects.toMatchObject({ code: 'KAFKA_DISCONNECTED' });
  });

  test('does not wait for a broker that takes connections and says nothing', async () => {
    const broker = await fakeBroker(() => 'silence', { apiVersions: 'silence' });
    const cluster = connectTo([`${broker.host}:${broker.port}`], { requestTimeoutMs: 800 });
    const asked = cluster.metadata([]).catch((error: unknown) => error);
    await vi.waitFor(() => expect(broker.connections).toBe(1));
    const before = performance.now();
    await cluster.close();
    expect(performance.now() - before).toBeLessThan(100);
    // The connection itself is given up by its own time-out.
    expect(await asked).toMatchObject({ code: expect.stringMatching(/^KAFKA_/) });
  });
});
