/** A broker on loopback that speaks just enough of the protocol to be connected to; a test decides what else it answers. */
import { once } from 'node:events';
import net from 'node:net';
import { onTestFinished } from 'vitest';
import { ProtocolReader, ProtocolWriter } from '../../../shared/kafka/protocol.ts';

export const API_VERSIONS = 18;
const METADATA = 3;
export const SASL_HANDSHAKE = 17;
export const SASL_AUTHENTICATE = 36;

export interface FakeRequest {
  apiKey: number;
  apiVersion: number;
  clientId: string | undefined;
  body: Buffer;
  /** Which of the connections, counted from 0 in the order of their opening. */
  connection: number;
}

/** The body of an answer; bytes for the socket as they are, piece by piece; no answer; or the end of the connection. */
export type FakeAnswer = Buffer | { raw: Buffer[] } | 'silence' | 'hang up';

export interface FakeBroker {
  host: string;
  port: number;
  /** All requests so far but ApiVersions. */
  requests: FakeRequest[];
  /** Connections opened so far. */
  connections: number;
  /** Closes the door and every connection. */
  stop(): Promise<void>;
}

/** Below the versions in which topics have ids: most tests are about other things. */
const MAX_VERSIONS: Record<number, number> = { [API_VERSIONS]: 2, [METADATA]: 7 };

function apiVersionsAnswer(): Buffer {
  const ranges = [
    0,
    1,
    2,
    3,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    SASL_HANDSHAKE,
    API_VERSIONS,
    22,
    32,
    SASL_AUTHENTICATE,
  ];
  const answer = new ProtocolWriter().int16(0);
  return answer
    .array(ranges, (key) =>
      answer
        .int16(key)
        .int16(0)
        .int16(MAX_VERSIONS[key] ?? 11),
    )
    .int32(0)
    .finish();
}

export async function fakeBroker(
  answer: (request: FakeRequest) => FakeAnswer | Promise<FakeAnswer>,
  options: { apiVersions?: FakeAnswer } = {},
): Promise<FakeBroker> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    const connection = broker.connections;
    broker.connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.setNoDelay(true);
    socket.on('error', () => {}); // a client that went away
    let pending = Buffer.alloc(0);
    let before: Promise<void> = Promise.resolve();
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const end = 4 + pending.readInt32BE(0);
        const frame = pending.subarray(4, end);
        pending = pending.subarray(end);
        before = before.then(() => serve(socket, frame, connection)); // in order, as a broker does
      }
    });
  });

  const serve = async (socket: net.Socket, frame: Buffer, connection: number): Promise<void> => {
    const reader = new ProtocolReader(frame);
    const [apiKey, apiVersion, correlationId] = [reader.int16(), reader.int16(), reader.int32()];
    const clientId = reader.nullableString();
    const body = frame.subarray(10 + Buffer.byteLength(clientId ?? ''));
    const request = { apiKey, apiVersion, clientId, body, connection };
    const isHandshake = apiKey === API_VERSIONS;
    if (!isHandshake) broker.requests.push(request);
    const answered = isHandshake ? (options.apiVersions ?? apiVersionsAnswer()) : await answer(request);
    if (answered === 'silence') return;
    if (answered === 'hang up') socket.destroy();
    else if ('raw' in answered) {
      for (const piece of answered.raw) {
        socket.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } else {
      const size = new ProtocolWriter()
        .int32(4 + answered.length)
        .int32(correlationId)
        .finish();
      socket.write(Buffer.concat([size, answered]));
    }
  };

  const broker: FakeBroker = {
    host: '127.0.0.1',
    port: 0,
    requests: [],
    connections: 0,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
  server.listen(0, broker.host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  broker.port = address.port;
  onTestFinished(() => broker.stop());
  return broker;
}
