/**
 * The one file that reaches into kafkajs 2.2.4 (pinned exactly): one TCP connection to one broker, with the TLS and SASL
 * that kafkajs brings, carrying requests that we encode ourselves. test/unit/kafka/kafkajs-internals.test.ts fails if any
 * of the members used here moves.
 *
 * A connection is used once: when it breaks it is thrown away and a new one is opened. kafkajs could reconnect the same
 * object, but it keeps half an answer from before the break and would read the next answer as its continuation.
 */
import { createRequire } from 'node:module';
import net from 'node:net';
import tls from 'node:tls';
import type { KafkaRequest } from './protocol.ts';
import { ProtocolReader, ProtocolWriter } from './protocol.ts';
import { type AnswerMemory, answerReader } from './answer-reader.ts';
import { connectionError } from './connection-error.ts';
import { deferred } from '../deferred.ts';
import { messageOf, SkaldError } from '../errors.ts';

const require = createRequire(import.meta.url);

interface InternalLogger {
  namespace(name: string): InternalLogger;
  setLogLevel(level: number): void;
  debug(message: string, extra?: object): void;
  info(message: string, extra?: object): void;
  warn(message: string, extra?: object): void;
  error(message: string, extra?: object): void;
}

interface InternalRequest {
  requestTimeout: number;
  timeoutRequest(): void;
}

interface InternalRequestQueue {
  requestTimeout: number;
  pending: unknown[];
  inflight: Map<number, InternalRequest>;
  push(request: {
    entry: {
      apiKey: number;
      apiName: string;
      apiVersion: number;
      correlationId: number;
      resolve(answer: { payload: Buffer }): void;
      reject(error: Error): void;
    };
    expectResponse: true;
    requestTimeout: number | null;
    sendRequest(): void;
  }): void;
  sendSocketRequest(request: InternalRequest): void;
  scheduleRequestTimeoutCheck(): void;
  maybeThrottle(ms: number | null | undefined): void;
  canSendSocketRequestImmediately(): boolean;
  scheduleCheckPendingRequests(): void;
  checkPendingRequests(): void;
  destroy(): void;
}

interface InternalConnection {
  connectionStatus: string;
  isConnected(): boolean;
  processData(data: Buffer): void;
  rejectRequests(error: Error): void;
  requestQueue: InternalRequestQueue;
  socket?: net.Socket;
  isAuthenticated(): boolean;
  authenticate(): Promise<void>;
  failIfNotConnected(): void;
  nextCorrelationId(): number;
}

interface InternalConnectionPool {
  pool: InternalConnection[];
}

interface InternalBroker {
  connect(): Promise<void>;
  /** By API key; what the broker said when we connected. */
  versions: Readonly<Record<number, { maxVersion: number } | undefined>> | null;
}

type SaslOptions = { mechanism: string; username: string; password: string };

// These modules have no types; the interfaces above are what a test holds them to.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const ConnectionPool = require('kafkajs/src/network/connectionPool') as new (options: {
  host: string;
  port: number;
  clientId: string;
  ssl: tls.ConnectionOptions | null;
  sasl: SaslOptions | null;
  logger: InternalLogger;
  connectionTimeout: number;
  requestTimeout: number;
  enforceRequestTimeout: boolean;
  socketFactory: (options: SocketOptions) => net.Socket;
}) => InternalConnectionPool;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const Broker = require('kafkajs/src/broker') as new (options: {
  connectionPool: InternalConnectionPool;
  logger: InternalLogger;
  authenticationTimeout: number;
}) => InternalBroker;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const { CONNECTION_STATUS } = require('kafkajs/src/network/connectionStatus') as {
  CONNECTION_STATUS: { DISCONNECTED: string };
};

interface SocketOptions {
  host: string;
  port: number;
  ssl: tls.ConnectionOptions | null;
  onConnect: () => void;
}

const KEEP_ALIVE_MS = 60_000;

/** As kafkajs's own factory, but without Nagle's delay: a small request must not wait for the answer to the last one. */
function openSocket({ host, port, ssl, onConnect }: SocketOptions): net.Socket {
  const serverName = net.isIP(host) === 0 ? { servername: host } : {};
  const socket =
    ssl === null
      ? net.connect({ host, port }, onConnect)
      : tls.connect({ host, port, ...serverName, ...ssl }, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  socket.setNoDelay(true);
  return socket;
}

/** How often requests on their way are looked at for being overdue, as kafkajs does. */
const OVERDUE_CHECK_MS = 100;

/**
 * Takes the timers of a connection into our own hands, so that an idle one has none and a jump of the wall clock neither
 * ends requests early nor keeps them for ever. kafkajs looks for overdue requests ten times a second for as long as a
 * connection is open, and for requests that are held back a thousand times (it re-arms that check with a negative delay).
 * While a broker asks for it (KIP-219), nothing is sent; what is held back goes out in order, and is not overdue by that.
 */
function ownTimers(queue: InternalRequestQueue): void {
  // kafkajs takes the longer one of a connection's time-out and a request's own, which must be able to be shorter.
  const defaultTimeoutMs = queue.requestTimeout;
  queue.requestTimeout = 0;
  const sentMs = new WeakMap<InternalRequest, number>();
  let heldBackUntilMs = 0;
  let overdueCheck: NodeJS.Timeout | undefined;
  let pendingCheck: NodeJS.Timeout | undefined;

  const checkOverdue = (): void => {
    overdueCheck = undefined;
    for (const request of queue.inflight.values()) {
      const timeoutMs = request.requestTimeout === 0 ? defaultTimeoutMs : request.requestTimeout;
      if (performance.now() - (sentMs.get(request) ?? 0) > timeoutMs) request.timeoutRequest();
    }
    armOverdueCheck();
  };
  const armOverdueCheck = (): void => {
    if (overdueCheck !== undefined || queue.inflight.size === 0) return;
    overdueCheck = setTimeout(checkOverdue, Math.min(defaultTimeoutMs, OVERDUE_CHECK_MS));
  };

  const sendSocketRequest = queue.sendSocketRequest.bind(queue);
  queue.sendSocketRequest = (request) => {
    sentMs.set(request, performance.now());
    sendSocketRequest(request);
    armOverdueCheck();
  };
  queue.scheduleRequestTimeoutCheck = () => {};
  queue.maybeThrottle = (ms) => {
    heldBackUntilMs = Math.max(heldBackUntilMs, performance.now() + (ms ?? 0));
  };
  queue.canSendSocketRequestImmediately = () => performance.now() >= heldBackUntilMs;
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length === 0 || pendingCheck !== undefined) return;
    pendingCheck = setTimeout(
      () => {
        pendingCheck = undefined;
        queue.checkPendingRequests();
      },
      Math.max(1, Math.ceil(heldBackUntilMs - performance.now())),
    );
  };
  queue.destroy = () => {
    clearTimeout(overdueCheck);
    clearTimeout(pendingCheck);
    overdueCheck = undefined;
    pendingCheck = undefined;
  };
}

/**
 * kafkajs reads the size of an answer and believes it: a negative or tiny one, as something that is no broker may send,
 * would be an exception in a socket's event, which ends the process.
 */
function guardAnswers(
  connection: InternalConnection,
  answers: AnswerMemory | undefined,
  onGarbage: (error: unknown) => void,
): void {
  const process = connection.processData.bind(connection);
  const read = answers === undefined ? process : answerReader(answers, process);
  connection.processData = (data) => {
    try {
      read(data);
    } catch (error) {
      onGarbage(error);
    }
  };
}

/**
 * Sends a request and resolves with the answer behind its correlation id, as kafkajs does, except that the pieces of a
 * request are not put together first: kafkajs would copy a batch three times, each time into new memory.
 */
function ask(
  connection: InternalConnection,
  request: KafkaRequest<unknown>,
  clientId: string,
  requestTimeout: number,
): Promise<Buffer> {
  connection.failIfNotConnected();
  const { apiKey, apiName, apiVersion } = request;
  const body = new ProtocolWriter();
  request.encode(body);
  const correlationId = connection.nextCorrelationId();
  const head = new ProtocolWriter().int16(apiKey).int16(apiVersion).int32(correlationId).string(clientId);
  const pieces = [...head.pieces(), ...body.pieces()];
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  const sendRequest = (): void => {
    const { socket } = connection;
    socket?.cork();
    for (const piece of [new ProtocolWriter().int32(bytes).finish(), ...pieces]) socket?.write(piece);
    socket?.uncork();
  };
  return new Promise((resolve, reject) => {
    const entry = {
      apiKey,
      apiName,
      apiVersion,
      correlationId,
      resolve: ({ payload }: { payload: Buffer }) => resolve(payload),
      reject,
    };
    connection.requestQueue.push({ entry, expectResponse: true, requestTimeout, sendRequest });
  });
}

/** What kafkajs says of itself goes to `debug`: every failure it logs also reaches us as a rejected promise. */
function bridgeLogger(debug: (message: string, fields: object) => void): InternalLogger {
  const log = (message: string, extra: object = {}): void => debug(message, extra);
  const logger: InternalLogger = {
    namespace: () => logger,
    setLogLevel: () => {},
    debug: () => {}, // one line for each request and answer: not even at our debug level
    info: log,
    warn: log,
    error: log,
  };
  return logger;
}

export interface BrokerConnectionOptions {
  host: string;
  port: number;
  clientId: string;
  ssl: tls.ConnectionOptions | null;
  sasl: SaslOptions | null;
  connectTimeoutMs: number;
  requestTimeoutMs: number;
  /** For large answers. Who gets one gives its memory back. */
  answers?: AnswerMemory | undefined;
  debug: (message: string, fields: object) => void;
}

export interface BrokerConnection {
  readonly isOpen: boolean;
  /** Requests go out in the order of the calls, and a broker answers one connection's requests in order. */
  send<T>(request: KafkaRequest<T>): Promise<T>;
  /** Drops the socket; requests without an answer are rejected. May be called twice. */
  close(): void;
}

/**
 * Connects, and authenticates when `sasl` is set.
 * All of it takes at most `connectTimeoutMs`.
 * @throws SkaldError KAFKA_UNREACHABLE, KAFKA_TIMEOUT, KAFKA_TLS, KAFKA_AUTHENTICATION or KAFKA_PROTOCOL
 */
export async function openBrokerConnection(options: BrokerConnectionOptions): Promise<BrokerConnection> {
  const where = { broker: `${options.host}:${options.port}` };
  const logger = bridgeLogger(options.debug);
  /** How far the socket came; a TLS listener is reached, then secured. */
  const progress = { reached: false, secured: false };
  const connectionPool = new ConnectionPool({
    host: options.host,
    port: options.port,
    clientId: options.clientId,
    ssl: options.ssl,
    sasl: options.sasl,
    logger,
    connectionTimeout: options.connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    enforceRequestTimeout: true,
    socketFactory: (socketOptions) => {
      const socket = openSocket(socketOptions);
      socket.once('connect', () => (progress.reached = true));
      socket.once('secureConnect', () => (progress.secured = true));
      return socket;
    },
  });
  const broker = new Broker({ connectionPool, logger, authenticationTimeout: options.connectTimeoutMs });
  const connection = connectionPool.pool[0]!;
  ownTimers(connection.requestQueue);

  const closeWith = (reason: SkaldError): void => {
    // A request that is still being encoded looks at this before it is written; later nobody would reject it.
    connection.connectionStatus = CONNECTION_STATUS.DISCONNECTED;
    connection.rejectRequests(reason);
    connection.requestQueue.destroy();
    connection.socket?.destroy();
  };
  const close = (): void =>
    closeWith(new SkaldError('KAFKA_DISCONNECTED', 'The connection was closed.', { where }));
  guardAnswers(connection, options.answers, (cause) => {
    const message = `${where.broker} sent what is no answer of a Kafka broker: ${messageOf(cause)}`;
    closeWith(new SkaldError('KAFKA_PROTOCOL', message, { cause, where }));
  });
  const late = deferred<never>();
  const deadline = setTimeout(() => {
    // kafkajs bounds the TCP and TLS handshakes one by one, and what follows on them only by the request time-out.
    const [code, missing] = progress.reached
      ? (['KAFKA_TIMEOUT', 'took the connection and did not complete it in time'] as const)
      : (['KAFKA_UNREACHABLE', 'did not take the connection in time'] as const);
    late.reject(new SkaldError(code, `${where.broker} ${missing}.`, { where }));
  }, options.connectTimeoutMs);
  try {
    await Promise.race([broker.connect(), late.promise]);
  } catch (error) {
    close();
    const handshaking = options.ssl !== null && progress.reached && !progress.secured;
    throw connectionError(error, where, handshaking ? 'handshake' : 'connect');
  } finally {
    clearTimeout(deadline);
  }

  let closed = false;
  return {
    get isOpen() {
      return !closed && connection.isConnected() && connection.socket?.destroyed === false;
    },
    send: async <T>(asked: KafkaRequest<T>): Promise<T> => {
      const { newer } = asked;
      const maxVersion = broker.versions?.[asked.apiKey]?.maxVersion ?? 0;
      const request = newer !== undefined && newer.apiVersion <= maxVersion ? newer : asked;
      try {
        // A login may be good for some time only (KIP-368).
        if (options.sasl !== null && !connection.isAuthenticated()) await connection.authenticate();
        const timeoutMs = request.timeoutMs ?? options.requestTimeoutMs + (request.holdMs ?? 0);
        const answer = request.decode(
          new ProtocolReader(await ask(connection, request, options.clientId, timeoutMs)),
        );
        connection.requestQueue.maybeThrottle(request.throttleMs?.(answer));
        return answer;
      } catch (error) {
        const mapped = connectionError(error, where, request.apiName);
        // After a time-out the answer may still come, but a connection that hangs without closing must not be kept.
        if (mapped.code !== 'KAFKA_PROTOCOL') close();
        throw mapped;
      }
    },
    close: () => {
      closed = true;
      close();
    },
  };
}
