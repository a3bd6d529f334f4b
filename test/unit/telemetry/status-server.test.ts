import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { createRegistry } from '../../../shared/telemetry/metrics.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import {
  startStatusServer,
  type StatusServer,
  type StatusServerOptions,
} from '../../../shared/telemetry/status-server.ts';

const servers: StatusServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(options: Partial<StatusServerOptions> = {}): Promise<StatusServer> {
  const server = await startStatusServer({
    host: '127.0.0.1',
    port: 0,
    registry: createRegistry(),
    health: () => ({ ok: true }),
    readiness: () => ({ ok: true }),
    status: () => ({}),
    logger: silentLogger,
    ...options,
  });
  servers.push(server);
  return server;
}

async function get(server: StatusServer, path: string, method = 'GET') {
  const response = await fetch(`http://${server.host}:${server.port}${path}`, { method });
  return { code: response.status, type: response.headers.get('content-type'), body: await response.text() };
}

/** A raw connection; `ended` resolves when the server has cut it, whichever way. */
async function connected(server: StatusServer): Promise<{ socket: Socket; ended: Promise<boolean> }> {
  const socket = connect(server.port, server.host).resume();
  await once(socket, 'connect');
  const ended = new Promise<boolean>((resolve) => {
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(true));
  });
  return { socket, ended };
}

describe('paths', () => {
  test('/metrics is the text format, with gauges set right before', async () => {
    const registry = createRegistry();
    const { Gauge } = await import('prom-client');
    const gauge = new Gauge({ name: 'open_files', help: 'x', registers: [registry] });
    const server = await start({ registry, refresh: () => gauge.set(7) });
    const { code, type, body } = await get(server, '/metrics?x=1');
    expect(code).toBe(200);
    expect(type).toContain('text/plain; version=0.0.4');
    expect(body.split('\n')).toContain('open_files 7');
  });

  test('probes answer 200 or 503, with the reasons', async () => {
    const server = await start({ readiness: () => ({ ok: false, reasons: ['no broker answers'] }) });
    expect((await get(server, '/healthz')).code).toBe(200);
    const ready = await get(server, '/readyz');
    expect(ready.code).toBe(503);
    expect(JSON.parse(ready.body)).toEqual({ ok: false, reasons: ['no broker answers'] });
  });

  test('/status is JSON, offsets with all their digits', async () => {
    const server = await start({ status: () => ({ offset: 9_007_199_254_740_993n }) });
    const { type, body } = await get(server, '/status');
    expect(type).toContain('application/json');
    expect(JSON.parse(body)).toEqual({ offset: '9007199254740993' });
  });

  test('others are 404, and nothing can be posted', async () => {
    const server = await start();
    expect((await get(server, '/')).code).toBe(404);
    expect((await get(server, '/status/../etc/passwd')).code).toBe(404);
    expect((await get(server, '/status', 'POST')).code).toBe(405);
  });

  test('HEAD has headers and no body', async () => {
    const { code, body } = await get(await start(), '/healthz', 'HEAD');
    expect({ code, body }).toEqual({ code: 200, body: '' });
  });

  test('a failure inside is a 500 without its details, and the next request works', async () => {
    let broken = true;
    const server = await start({
      status: () => {
        if (broken) throw new Error('secret path');
        return {};
      },
    });
    const failed = await get(server, '/status');
    expect(failed.code).toBe(500);
    expect(failed.body).not.toContain('secret path');
    broken = false;
    expect((await get(server, '/status')).code).toBe(200);
  });
});

describe('bounds', () => {
  test('headers above 8 KiB are refused', async () => {
    const server = await start();
    const headers = { 'x-long': 'a'.repeat(10_000) };
    const response = await fetch(`http://${server.host}:${server.port}/healthz`, { headers });
    expect(response.status).toBe(431);
  });

  test('close ends a connection that says nothing and one that stopped in the middle of a request', async () => {
    const server = await start();
    const [silent, halfway] = [await connected(server), await connected(server)];
    halfway.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n');
    await server.close();
    await expect(Promise.all([silent.ended, halfway.ended])).resolves.toEqual([true, true]);
  });

  test('close is fine twice, and the port is free after it', async () => {
    const server = await start();
    await Promise.all([server.close(), server.close()]);
    await server.close();
    await expect(get(server, '/healthz')).rejects.toThrow('fetch failed');
    const next = await start({ port: server.port });
    expect(next.port).toBe(server.port);
  });
});

describe('an address that cannot be had', () => {
  test('a port that is taken is named, with what to do', async () => {
    const server = await start();
    await expect(start({ port: server.port })).rejects.toThrow(
      expect.objectContaining({
        code: 'STATUS_LISTEN_FAILED',
        message: `cannot serve status on 127.0.0.1:${server.port}: another program listens there; set another status.port, or status: false`,
      }),
    );
  });

  test('an address of another machine', async () => {
    // TEST-NET-1, RFC 5737: nobody has it.
    await expect(start({ host: '192.0.2.1' })).rejects.toThrow(
      expect.objectContaining({ code: 'STATUS_LISTEN_FAILED' }),
    );
  });
});
