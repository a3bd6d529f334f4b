import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../../../cli/program.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import { createRegistry } from '../../../shared/telemetry/metrics.ts';
import { startStatusServer, type StatusServer } from '../../../shared/telemetry/status-server.ts';

const STATUS = {
  host: 'web-7',
  rack: 'az-a',
  pipelines: [
    {
      pipeline: 'access-log',
      topic: 'access',
      ready: true,
      lagBytes: 1300,
      inFlightBatches: 2,
      files: [
        { path: '/var/log/a.log', id: '1', sizeBytes: 500, readBytes: 500, detached: false },
        { path: '/var/log/a.log.1', id: '2', sizeBytes: 2000, readBytes: 700, detached: true },
      ],
    },
  ],
};

let dir: string;
let server: StatusServer;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'skald-status-'));
  server = await startStatusServer({
    host: '127.0.0.1',
    port: 0,
    registry: createRegistry(),
    health: () => ({ ok: true }),
    readiness: () => ({ ok: true }),
    status: () => STATUS,
    logger: silentLogger,
  });
});
afterEach(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

function hostFile(status: string): string {
  const file = join(dir, 'agent.yaml');
  writeFileSync(file, `clusters: {main: {brokers: [kafka-1:9092]}}\nstatus: ${status}\n`);
  return file;
}

async function skald(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = {
    env: {},
    print: (line: string) => void out.push(line),
    complain: (line: string) => void err.push(line),
  };
  return { code: await runCli(args, terminal), out, err };
}

test('each file with what is not read of it, the furthest behind first', async () => {
  const { code, out } = await skald('agent', 'status', '-c', hostFile(`{port: ${server.port}}`));
  expect(code).toBe(0);
  expect(out).toEqual([
    'host web-7, rack az-a',
    'pipeline access-log to access: 1300 bytes behind, 2 batches in flight',
    '  /var/log/a.log.1: 1300 of 2000 bytes not read, rotated away',
    '  /var/log/a.log: 0 of 500 bytes not read',
  ]);
});

test('an agent that listens on every interface is asked over loopback', async () => {
  const { code } = await skald('agent', 'status', '-c', hostFile(`{host: 0.0.0.0, port: ${server.port}}`));
  expect(code).toBe(0);
});

test('--json prints all of it', async () => {
  const { out } = await skald('agent', 'status', '--json', '-c', hostFile(`{port: ${server.port}}`));
  expect(JSON.parse(out.join(''))).toEqual(STATUS);
});

test('no agent there', async () => {
  await server.close();
  const { code, err } = await skald('agent', 'status', '-c', hostFile(`{port: ${server.port}}`));
  expect(code).toBe(1);
  expect(err.join('')).toContain('is it running?');
});

test('an agent without a status server', async () => {
  const { code, err } = await skald('agent', 'status', '-c', hostFile('false'));
  expect(code).toBe(1);
  expect(err.join('')).toContain('status: false');
});

test('a host file that is not there is wrong usage', async () => {
  expect((await skald('agent', 'status', '-c', join(dir, 'nope.yaml'))).code).toBe(2);
});
