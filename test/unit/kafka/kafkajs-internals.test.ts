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
      send: expect.any(Function),
    });
    expect(connection!['requestQueue']).toMatchObject({
      pending: [],
      throttledUntil: expect.any(Number),
      throttleCheckTimeoutId: null,
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

  test('that is idle leaves the processor alone', async () => {
    const broker = await fakeBroker(() => beat());
    const connection = await connect(broker);
    await connection.send(heartbeat());
    const timers = vi.spyOn(globalThis, 'setTimeout');
    onTestFinished(() => timers.mockRestore());
    const until = Date.now() + 200;
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(until), { interval: 50 });
    // kafkajs by itself sets one every millisecond; those here are of the test's own wait.
    expect(timers.mock.calls.length).toBeLessThan(20);
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
