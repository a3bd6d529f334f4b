/**
 * A stand-in for the EC2 instance metadata service, on loopback. It answers as the Amazon EC2 User Guide says: a token for a
 * PUT with a time to live of 1 to 21,600 seconds and without X-Forwarded-For, items for a GET with a token, 400, 401, 403
 * and 404 otherwise. `fault` goes first and says whether it has dealt with a request.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Server } from 'node:net';
import { onTestFinished } from 'vitest';

const ITEMS: Readonly<Record<string, string>> = {
  '/latest/meta-data/placement/availability-zone': 'eu-central-1b',
  '/latest/meta-data/placement/availability-zone-id': 'euc1-az3',
};

export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface StandIn {
  endpoint: string;
  /** Method and path of every request, in order. */
  requests: string[];
  /** Connections that are open now. */
  connections: () => Promise<number>;
}

export async function standInMetadata(fault: Fault = () => false): Promise<StandIn> {
  const requests: string[] = [];
  const tokens = new Set<string>();
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (fault(request, response)) return;
    const { status, text } = answerTo(request, tokens);
    response.writeHead(status, { 'content-type': 'text/plain' }).end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return {
    endpoint: `http://127.0.0.1:${portOf(server)}`,
    requests,
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
  };
}

function answerTo({ method, url, headers }: IncomingMessage, tokens: Set<string>) {
  if (headers['x-forwarded-for'] !== undefined) return { status: 403, text: 'Forbidden' };
  if (url === '/latest/api/token') {
    const ttl = Number(headers['x-aws-ec2-metadata-token-ttl-seconds']);
    if (method !== 'PUT') return { status: 405, text: 'Method Not Allowed' };
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > 21_600) return { status: 400, text: 'Bad Request' };
    const token = `AQAEA-${tokens.size}_stand-in==`;
    tokens.add(token);
    return { status: 200, text: token };
  }
  if (!tokens.has(String(headers['x-aws-ec2-metadata-token']))) return { status: 401, text: 'Unauthorized' };
  const item = method === 'GET' ? ITEMS[url ?? ''] : undefined;
  return item === undefined ? { status: 404, text: 'Not Found' } : { status: 200, text: item };
}

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on a port');
  return address.port;
}
