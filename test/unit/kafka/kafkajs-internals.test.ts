import { createRequire } from 'node:module';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type BrokerConnectionOptions,
  openBrokerConnection,
} from '../../../shared/kafka/kafkajs-internals.ts';
import { ProtocolWriter } from '../../../shared/kafka/protocol.ts';
import { heartbeatRequest } from '../../../shared/kafka/requests/group.ts';
import { produceRequest } from '../../../shared/kafka/requests/produce.ts';
import type { FakeAnswer, FakeBroker } from './fake-broker.ts';
import { fakeBroker, SASL_AUTHENTICATE, SASL_HANDSHAKE } from './fake-broker.ts';

const require = createRequire(import.meta.url);
const HEARTBEAT = 12;

const heartbeat = (generationId = 1) =>
  heartbeatRequest({ groupId: 'g', memberId: 'm', groupInstanceId: undefined, generationId });

/** An answer to Heartbeat v3. */
const beat = (errorCode = 0): Buffer => new ProtocolWriter().int32(0).int16(errorCode).finish();

async function connect(
  broker: Pick<FakeBroker, 'host' | 'port'>,
  options: Partial<BrokerConnectionOptions> = {},
) {
  const connection = await openBrokerConnection({
    host: broker.host,
    port: broker.port,
    clientId: 'skald',
    ssl: null,
    sasl: null,
    connectTimeoutMs: 1_000,
    requestTimeoutMs: 500,
    debug: () => {},
    ...options,
  });
  onTestFinished(() => connection.close());
  return connection;
}

test('a request goes out in its newer version when the broker says that it knows it', async () => {
  const broker = await fakeBroker(() => beat()); // says 11 of Heartbeat
  const connection = await connect(broker);
  for (const apiVersion of [4, 11, 12]) {
    await connection.send({ ...heartbeat(), newer: { ...heartbeat(), apiVersion } });
  }
  expect(broker.requests.map(({ apiVersion }) => apiVersion)).toEqual([4, 11, heartbeat().apiVersion]);
});

describe('what is used of kafkajs', () => {
  test('is of the version that it was read in', () => {
    const { version }: { version: string } = require('kafkajs/package.json');
    expect(version).toBe('2.2.4');
  });

  test('stands where it stood', () => {
    type Pool = new (options: object) => { pool: Record<string, unknown>[] };
    const ConnectionPool: Pool = require('kafkajs/src/network/connectionPool');
    const Broker: { prototype: { connect: unknown } } = require('kafkajs/src/broker');
    const logger = { namespace: () => logger, debug: () => {}, error: () => {} };
    const options = {
      host: 'h',
      port: 1,
      logger,
      requestTimeout: 1,
      connectionTimeout: 1,
      socketFactory: () => {},
    };
    const [connection] = new ConnectionPool(options).pool;
    expect(connection).toMatchObject({
      connectionStatus: 'disconnected',
      isConnected: expect.any(Function),
      rejectRequests: expect.any(Function),
      processData: expect.any(Function),
      isAuthenticated: expect.any(Function),
      authenticate: expect.any(Function),
      failIfNotConnected: expect.any(Function),
      nextCorrelationId: expect.any(Function),
    });
    expect(connection!['requestQueue']).toMatchObject({
      requestTimeout: 1,
      pending: [],
      push: expect.any(Function),
      inflight: new Map(),
      sendSocketRequest: expect.any(Function),
      scheduleRequestTimeoutCheck: expect.any(Function),
      maybeThrottle: expect.any(Function),
      canSendSocketRequestImmediately: expect.any(Function),
      scheduleCheckPendingRequests: expect.any(Function),
      checkPendingRequests: expect.any(Function),
      destroy: expect.any(Function),
    });
    expect(Broker.prototype.connect).toBeTypeOf('function');
  });
});

describe('a connection', () => {
  test('carries a request as it is encoded, and its answer', async () => {
    const broker = await fakeBroker(() => beat(27));
    const connection = await connect(broker);
    expect(await connection.send(heartbeat(6))).toEqual({ errorCode: 27 });
    const [request] = broker.requests;
    expect(request).toMatchObject({ apiKey: HEARTBEAT, apiVersion: 3, clientId: 'skald' });
    expect(request!.body.toString('hex')).toBe('0001670000000600016dffff');
    expect(connection.isOpen).toBe(true);
  });

  test('sends in the order of the calls, also of those that come while others are on their way', async () => {
    const broker = await fakeBroker(() => beat());
    const connection = await connect(broker);
    const sent: Promise<unknown>[] = [];
    for (let n = 0; n < 200; n += 1) {
      sent.push(connection.send(heartbeat(n)));
      if (n % 7 === 0) await Promise.resolve();
      if (n % 31 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(sent);
    expect(broker.requests.map(({ body }) => body.readInt32BE(3))).toEqual(sent.map((_, n) => n));
  });

  test.each([1, 3, 13, 14, 27, 1_000])(
    'keeps answers apart that come in pieces of %i bytes',
    async (size) => {
      let all = Buffer.alloc(0);
      const broker = await fakeBroker(({ body }) => {
        const generation = body.readInt32BE(3);
        const correlation = generation + 1; // that of ApiVersions was 0
        all = Buffer.concat([
          all,
          new ProtocolWriter().int32(10).int32(correlation).finish(),
          beat(generation),
        ]);
        if (generation < 9) return 'silence';
        const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, i) => i * size);
        return { raw: pieces.map((at) => all.subarray(at, at + size)) };
      });
      const connection = await connect(broker, { requestTimeoutMs: 5_000 });
      const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => connection.send(heartbeat(n))));
      expect(answers).toEqual(Array.from({ length: 10 }, (_, n) => ({ errorCode: n })));
    },
  );

  test('that breaks with a request on its way: KAFKA_DISCONNECTED, and it is not open any more', async () => {
    const broker = await fakeBroker(() => 'hang up');
    const connection = await connect(broker);
    await expect(connection.send(heartbeat())).rejects.toMatchObject({ code: 'KAFKA_DISCONNECTED' });
    expect(connection.isOpen).toBe(false);
  });

  test('without an answer in time: KAFKA_TIMEOUT, and a connection that hangs is not kept', async () => {
    const broker = await fakeBroker(() => 'silence');
    const connection = await connect(broker, { requestTimeoutMs: 200 });
    await expect(connection.send(heartbeat())).rejects.toMatchObject({ code: 'KAFKA_TIMEOUT' });
    expect(connection.isOpen).toBe(false);
  });

  test('waits longer for an answer that the broker holds by design', async () => {
    let answer: (() => void) | undefined;
    const broker = await fakeBroker(async () => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return beat();
    });
    const connection = await connect(broker, { requestTimeoutMs: 100 });
    const held = connection.send({ ...heartbeat(), holdMs: 5_000 });
    await delay(600); // several times the request time-out
    answer!();
    expect(await held).toEqual({ errorCode: 0 });
  });

  test.each([
    ['shorter', 60_000, 100],
    ['longer', 100, 400],
  ])('waits as long as a request says of itself, here %s than for others', async (_, othersMs, timeoutMs) => {
    const broker = await fakeBroker(() => 'silence');
    const connection = await connect(broker, { requestTimeoutMs: othersMs });
    const askedMs = performance.now();
    await expect(connection.send({ ...heartbeat(), timeoutMs })).rejects.toMatchObject({
      code: 'KAFKA_TIMEOUT',
    });
    expect(performance.now() - askedMs).toBeGreaterThanOrEqual(timeoutMs);
  });

  test('answers that cannot be right: KAFKA_PROTOCOL, and the next request is answered', async () => {
    let answers = 0;
    const broker = await fakeBroker(() => ((answers += 1) === 1 ? Buffer.from([0]) : beat()));
    const connection = await connect(broker);
    await expect(connection.send(heartbeat())).rejects.toMatchObject({ code: 'KAFKA_PROTOCOL' });
    expect(await connection.send(heartbeat())).toEqual({ errorCode: 0 });
  });

  test('closed by us: what is on its way is rejected, twice is fine', async () => {
    const broker = await fakeBroker(() => 'silence');
    const connection = await connect(broker);
    const sent = connection.send(heartbeat());
    await vi.waitFor(() => expect(broker.requests).toHaveLength(1));
    const inPreparation = connection.send(heartbeat());
    connection.close();
    connection.close();
    await expect(inPreparation).rejects.toMatchObject({ code: 'KAFKA_DISCONNECTED' });
    await expect(sent).rejects.toMatchObject({ code: 'KAFKA_DISCONNECTED' });
    expect(connection.isOpen).toBe(false);
    await expect(connection.send(heartbeat())).rejects.toMatchObject({ code: 'KAFKA_DISCONNECTED' });
  });

  test('that is idle has no timer of any kind', async () => {
    const broker = await fakeBroker(() => beat());
    const connections = await Promise.all(Array.from({ length: 20 }, () => connect(broker)));
    await Promise.all(connections.map((connection) => connection.send(heartbeat())));
    // kafkajs by itself has one for overdue requests, and one that it sets again every millisecond, on each.
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    await vi.waitFor(() => expect(timers()).toBeLessThan(10), { timeout: 2_000, interval: 150 });
    expect(connections.every((connection) => connection.isOpen)).toBe(true);
  });

  test('is not given up early, nor kept for ever, when the wall clock jumps', async () => {
    const broker = await fakeBroker(({ body }) => (body.readInt32BE(3) === 1 ? 'silence' : beat()));
    const connection = await connect(broker, { requestTimeoutMs: 400 });
    const before = performance.now();
    const sent = connection.send(heartbeat(1));
    const wallClock = vi.spyOn(Date, 'now').mockImplementation(() => 4_000_000_000_000);
    onTestFinished(() => wallClock.mockRestore());
    await expect(sent).rejects.toMatchObject({ code: 'KAFKA_TIMEOUT' });
    expect(performance.now() - before).toBeGreaterThanOrEqual(390);
  });
});

describe('a broker that asks its clients to hold back (KIP-219)', () => {
  /** Produce v7 by the protocol guide: responses, then throttle_time_ms. */
  const produced = (throttleMs: number): Buffer => new ProtocolWriter().int32(0).int32(throttleMs).finish();
  const produce = () => produceRequest({ partitions: [], timeoutMs: 1_000 });

  test('is sent nothing for as long as it said, then everything in order, and nothing times out by that', async () => {
    const HOLD_MS = 700;
    const arrivedMs: number[] = [];
    const broker = await fakeBroker(({ apiKey }) => {
      arrivedMs.push(performance.now());
      if (apiKey !== 0) return beat();
      return produced(arrivedMs.length === 1 ? HOLD_MS : 0);
    });
    const connection = await connect(broker, { requestTimeoutMs: 200 });
    expect(await connection.send(produce())).toEqual({ partitions: [], throttleMs: HOLD_MS });
    const toldMs = performance.now();
    await Promise.all([1, 2, 3].map((generation) => connection.send(heartbeat(generation))));
    expect(arrivedMs[1]! - toldMs).toBeGreaterThanOrEqual(HOLD_MS - 5);
    expect(broker.requests.slice(1).map(({ body }) => body.readInt32BE(3))).toEqual([1, 2, 3]);
  });

  test('and hangs: what is held back is rejected with what is on its way', async () => {
    const broker = await fakeBroker(({ apiKey }) => (apiKey === 0 ? produced(60_000) : 'silence'));
    const connection = await connect(broker);
    await connection.send(produce());
    const held = connection.send(heartbeat());
    await Promise.resolve();
    connection.close();
    await expect(held).rejects.toMatchObject({ code: 'KAFKA_DISCONNECTED' });
  });
});

describe('sizes that no answer has', () => {
  // The first four bytes are the size of what follows: minus one, minus sixteen, none, too few for a correlation id.
  test.each(['ffffffff', 'fffffff0', '00000000', '00000002ffff'])(
    '%s in place of an answer is KAFKA_PROTOCOL, and the process lives',
    async (hex) => {
      const broker = await fakeBroker(() => ({ raw: [Buffer.from(hex, 'hex')] }));
      const connection = await connect(broker);
      await expect(connection.send(heartbeat())).rejects.toMatchObject({ code: 'KAFKA_PROTOCOL' });
      expect(connection.isOpen).toBe(false);
    },
  );

  test('of a greeting in another protocol, which looks like a huge one: no answer in time', async () => {
    const broker = await fakeBroker(() => ({ raw: [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')] }));
    const connection = await connect(broker, { requestTimeoutMs: 200 });
    await expect(connection.send(heartbeat())).rejects.toMatchObject({ code: 'KAFKA_TIMEOUT' });
  });
});

describe('connecting', () => {
  test('where nobody listens: KAFKA_UNREACHABLE with the address', async () => {
    const broker = await fakeBroker(() => 'silence');
    await broker.stop();
    await expect(connect(broker)).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      message: expect.stringContaining(`${broker.host}:${broker.port}`),
    });
  });

  test.each<[string, FakeAnswer, RegExp]>([
    ['hangs up', 'hang up', /KAFKA_UNREACHABLE/],
    ['says nothing', 'silence', /KAFKA_TIMEOUT/],
    ['answers an impossible size', { raw: [Buffer.from('ffffffff', 'hex')] }, /KAFKA_PROTOCOL/],
    ['answers with too few bytes', Buffer.from([0]), /KAFKA_PROTOCOL/],
    ['answers with an array of 2^31-1', Buffer.from('00007fffffff', 'hex'), /KAFKA_PROTOCOL/],
    ['answers in another protocol', { raw: [Buffer.from('SSH-2.0-OpenSSH_9.6\r\n')] }, /KAFKA_TIMEOUT/],
  ])('to something that %s', async (_, apiVersions, code) => {
    const broker = await fakeBroker(() => 'silence', { apiVersions });
    await expect(connect(broker, { connectTimeoutMs: 300, requestTimeoutMs: 300 })).rejects.toMatchObject({
      code: expect.stringMatching(code),
    });
  });

  test.each<[string, FakeAnswer | undefined, object]>([
    ['its first answer', 'silence', {}],
    ['the answers of the login', undefined, { sasl: { mechanism: 'plain', username: 'u', password: 'p' } }],
  ])(
    'is bounded by its own time-out, not that of requests: %s never comes',
    async (_, apiVersions, login) => {
      const broker = await fakeBroker(() => 'silence', apiVersions === undefined ? {} : { apiVersions });
      const before = performance.now();
      const connecting = connect(broker, { connectTimeoutMs: 300, requestTimeoutMs: 60_000, ...login });
      await expect(connecting).rejects.toMatchObject({
        code: 'KAFKA_TIMEOUT',
        message: expect.stringContaining(`${broker.host}:${broker.port}`),
      });
      expect(performance.now() - before).toBeLessThan(2_000);
    },
  );

  test('a TLS handshake that is never answered is bounded the same way', async () => {
    const server = net.createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address!.port : 0;
    const connecting = connect(
      { host: '127.0.0.1', port },
      { ssl: {}, connectTimeoutMs: 300, requestTimeoutMs: 60_000 },
    );
    await expect(connecting).rejects.toMatchObject({ code: 'KAFKA_TIMEOUT' });
  });

  test('by TLS to a listener without it: KAFKA_TLS, which says what is wrong', async () => {
    // As Kafka does: it takes the greeting for a request of 369 MB and closes the connection.
    const server = net
      .createServer((socket) => socket.once('data', () => socket.destroy()))
      .listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address!.port : 0;
    await expect(connect({ host: '127.0.0.1', port }, { ssl: {} })).rejects.toMatchObject({
      code: 'KAFKA_TLS',
      message: expect.stringContaining('TLS'),
    });
  });

  test('by TLS where nobody listens stays KAFKA_UNREACHABLE', async () => {
    const broker = await fakeBroker(() => 'silence');
    await broker.stop();
    await expect(connect(broker, { ssl: {} })).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  });

  test('with a password that is refused: KAFKA_AUTHENTICATION', async () => {
    const broker = await fakeBroker(({ apiKey }) => {
      if (apiKey === SASL_HANDSHAKE) {
        const writer = new ProtocolWriter().int16(0);
        return writer.array(['PLAIN'], (name) => writer.string(name)).finish();
      }
      if (apiKey === SASL_AUTHENTICATE) {
        return new ProtocolWriter()
          .int16(58)
          .string('Authentication failed')
          .bytes(new Uint8Array(0))
          .int64(0)
          .finish();
      }
      return 'silence';
    });
    const sasl = { mechanism: 'plain', username: 'u', password: 'p' };
    await expect(connect(broker, { sasl })).rejects.toMatchObject({ code: 'KAFKA_AUTHENTICATION' });
  });
});
