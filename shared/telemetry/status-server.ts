import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { messageOf, SkaldError } from '../errors.ts';
import type { Logger } from './logger.ts';

/** The answer to a probe: 200 when `ok`, else 503; the whole of it is the body. */
export interface ProbeReport {
  readonly ok: boolean;
  /** Why it is not ok, in words; for the one who looks. */
  readonly reasons?: readonly string[];
}

export interface StatusServerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly registry: Registry;
  /** Called before each look at the metrics, to set gauges that nobody keeps up to date. */
  readonly refresh?: () => void;
  /** False when only a restart helps. */
  readonly health: () => ProbeReport;
  /** False while it cannot do its work, such as before the first connection. */
  readonly readiness: () => ProbeReport;
  /** State for people and for `skald agent status`; plain data, bigints allowed. */
  readonly status: () => unknown;
  readonly logger: Logger;
}

export interface StatusServer {
  readonly host: string;
  readonly port: number;
  /** Stops listening; answers in progress get a second, then their connections are cut. Twice is fine. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 5000;
/** For a reader that stops in the middle of an answer. */
const IDLE_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 1000;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_CONNECTIONS = 64;

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

/**
 * Serves `/metrics` (Prometheus text format), `/healthz`, `/readyz` and `/status` (JSON) over plain HTTP. It is for the
 * machine itself and its scraper: requests, connections and waits are bounded, and nothing can be changed through it.
 * @throws SkaldError STATUS_LISTEN_FAILED when the address is taken, not permitted or not of this machine.
 */
export async function startStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => void respond(request, response, options),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(IDLE_TIMEOUT_MS);
  await listen(server, options);
  server.on('error', (error) => {
    options.logger.warn(
      { component: 'status-server', err: error },
      'the status server failed to take a connection',
    );
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  let closing: Promise<void> | undefined;
  return { host: options.host, port, close: () => (closing ??= close(server)) };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: StatusServerOptions,
): Promise<void> {
  const answer = await answerTo(request, options).catch((error: unknown) => {
    options.logger.warn(
      { component: 'status-server', path: request.url, err: error },
      'could not answer a request',
    );
    return plain(500, 'internal error, see the log');
  });
  const headers = {
    'content-type': answer.type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  };
  response.writeHead(answer.code, { ...headers, 'content-length': Buffer.byteLength(answer.body) });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function answerTo(request: IncomingMessage, options: StatusServerOptions): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'only GET and HEAD');
  const [path] = (request.url ?? '/').split('?');
  switch (path) {
    case '/metrics':
      options.refresh?.();
      return { code: 200, type: options.registry.contentType, body: await options.registry.metrics() };
    case '/healthz':
      return probe(options.health());
    case '/readyz':
      return probe(options.readiness());
    case '/status':
      options.refresh?.();
      return json(200, options.status());
    default:
      return plain(404, 'there are /metrics, /healthz, /readyz and /status');
  }
}

function probe(report: ProbeReport): Answer {
  return json(report.ok ? 200 : 503, report);
}

function json(code: number, value: unknown): Answer {
  const body = JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'bigint' ? item.toString() : item,
  );
  return { code, type: 'application/json; charset=utf-8', body: `${body}\n` };
}

function plain(code: number, text: string): Answer {
  return { code, type: 'text/plain; charset=utf-8', body: `${text}\n` };
}

function listen(server: Server, { host, port }: StatusServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port)));
    server.listen({ host, port }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

function listenError(error: Error, host: string, port: number): SkaldError {
  const code = 'code' in error ? error.code : undefined;
  const reason =
    code === 'EADDRINUSE'
      ? 'another program listens there; set another status.port, or status: false'
      : code === 'EACCES'
        ? 'this user may not listen on that port'
        : messageOf(error);
  return new SkaldError('STATUS_LISTEN_FAILED', `cannot serve status on ${host}:${port}: ${reason}`, {
    cause: error,
    where: { host, port },
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
