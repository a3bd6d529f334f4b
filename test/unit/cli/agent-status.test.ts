import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { lockStateDirectory } from '../../../agent/state-lock.ts';
import { statusLines, statusSchema } from '../../../cli/status-text.ts';
import { runCli } from '../../../cli/program.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import { createRegistry } from '../../../shared/telemetry/metrics.ts';
import { startStatusServer, type StatusServer } from '../../../shared/telemetry/status-server.ts';
import { someFile, someStatus } from '../agent/some-status.ts';

const STATUS = {
  host: 'web-7',
  rack: 'az-a',
  memoryBytes: 2 * 1024 ** 2,
  memoryLimitBytes: 128 * 1024 ** 2,
  pipelines: [
    someStatus({
      pipeline: 'access-log',
      topic: 'access',
      state: 'carries',
      lagBytes: 1_300,
      lagSeconds: 12,
      bytesPerSecond: 3_072,
      partition: 4,
      inFlightBatches: 2,
      lastProblem: { message: 'a batch got no answer', at: '2026-01-01T00:00:00.000Z' },
      files: [
        someFile({ path: '/var/log/a.log', sizeBytes: 500, acknowledgedBytes: 500, partition: 4 }),
        someFile({
          path: '/var/log/a.log.1',
          sizeBytes: 2_000,
          acknowledgedBytes: 700,
          lagBytes: 1_300,
          lagSeconds: 12,
          detached: true,
        }),
      ],
      troubled: [
        {
          path: '/var/log/secret.log',
          message: 'cannot read a log file: EACCES',
          at: '2026-01-01T00:04:30.000Z',
        },
      ],
    }),
  ],
  failed: [{ pipeline: 'other', reason: 'the journal cannot be read' }],
};

const NOW_MS = Date.UTC(2026, 0, 1, 0, 5);

let dir: string;
let server: StatusServer;
beforeEach(async () => {
  vi.setSystemTime(NOW_MS);
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
  vi.useRealTimers();
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

function hostFile(status: string, more = ''): string {
  const file = join(dir, 'agent.yaml');
  writeFileSync(
    file,
    `clusters: {main: {brokers: [kafka-1:9092]}}\nstateDir: ${dir}\nstatus: ${status}\n${more}`,
  );
  return file;
}

/** What an agent has left in its stateDir. */
function statusFile(running: boolean): void {
  const head = { version: 1, writtenAt: '2026-01-01T00:02:00.000Z', pid: 1, running };
  writeFileSync(join(dir, 'status.json'), JSON.stringify({ ...head, ...STATUS }));
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

const LINES = [
  'host web-7, rack az-a, 2.0 MiB of 128.0 MiB held',
  '',
  'pipeline access-log to topic access: carries, 1.3 KiB behind for 12 s, 3.0 KiB/s, partition 4, 2 batches in flight',
  '  last problem 5 min ago: a batch got no answer',
  '   behind   for  acknowledged    of  partition  file',
  '  1.3 KiB  12 s           700  2000          -  /var/log/a.log.1 (rotated away)',
  '      0 B     -           500   500          4  /var/log/a.log',
  '  not followed: /var/log/secret.log, 30 s ago: cannot read a log file: EACCES',
  '',
  'pipeline other has failed: the journal cannot be read',
];

test('each file with what is not acknowledged of it, the furthest behind first', async () => {
  const { code, out } = await skald('agent', 'status', '-c', hostFile(`{port: ${server.port}}`));
  expect(code).toBe(0);
  expect(out).toEqual(LINES);
});

test('a name with line breaks and escape sequences stays on its line, and moves no cursor', () => {
  const path = '/logs/a\nb\u001b[2J\u009b.log';
  const troubled = [{ path, message: `cannot carry ${path}`, at: '2026-01-01T00:04:30.000Z' }];
  const status = statusSchema.parse({
    ...STATUS,
    pipelines: [someStatus({ files: [someFile({ path })], troubled })],
  });
  const lines = statusLines(status, { nowMs: NOW_MS, all: false });
  const shown = String.raw`/logs/a\u000ab\u001b[2J\u009b.log`;
  expect(lines.join('')).not.toMatch(/\p{Cc}/u);
  expect(lines.filter((line) => line.includes(shown))).toHaveLength(2);
});

describe('ten thousand files', () => {
  const files = Array.from({ length: 10_000 }, (_, n) => {
    const lag = n < 30 ? { lagBytes: 10, lagSeconds: n } : {};
    return someFile({ path: `/logs/${n}.log`, ...lag });
  });
  const status = statusSchema.parse({ ...STATUS, pipelines: [someStatus({ files })], failed: [] });

  test('do not flood the terminal: the worst twenty, and how many more', () => {
    const lines = statusLines(status, { nowMs: NOW_MS, all: false });
    expect(lines).toHaveLength(25);
    expect(lines[4]).toMatch(/29 s .* \/logs\/29\.log$/);
    expect(lines.at(-1)).toBe(
      '  and 9980 more files, 9970 of them acknowledged to their end; --all shows them',
    );
  });

  test('with --all come all of them', () => {
    expect(statusLines(status, { nowMs: NOW_MS, all: true })).toHaveLength(10_004);
  });
});

describe('where no status server answers, the status file', () => {
  test('of an agent that runs: with its age', async () => {
    statusFile(true);
    const lock = await lockStateDirectory(dir);
    const { code, out } = await skald('agent', 'status', '-c', hostFile('false'));
    await lock.release();
    expect(code).toBe(0);
    expect(out).toEqual([
      `the agent runs; from ${dir}/status.json, written 3 min ago, when something changed last`,
      ...LINES,
    ]);
  });

  test.each([
    ['that was killed', true],
    ['that has stopped', false],
  ])('of an agent %s: says that it does not run', async (_, running) => {
    statusFile(running);
    await server.close();
    const { code, out } = await skald('agent', 'status', '-c', hostFile(`{port: ${server.port}}`));
    expect(code).toBe(1);
    expect(out[0]).toBe(`THE AGENT DOES NOT RUN; from ${dir}/status.json, which it wrote 3 min ago`);
    expect(out.slice(1)).toEqual(LINES);
  });

  test('as JSON, whole', async () => {
    statusFile(true);
    const { out } = await skald('agent', 'status', '--json', '-c', hostFile('false'));
    expect(JSON.parse(out.join(''))).toMatchObject({ writtenAt: '2026-01-01T00:02:00.000Z', ...STATUS });
  });

  test('that is damaged', async () => {
    writeFileSync(join(dir, 'status.json'), '{"host": "web');
    const { code, err } = await skald('agent', 'status', '-c', hostFile('false'));
    expect([code, err.length]).toEqual([1, 1]);
  });
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

test('an agent without status server that has written nothing, and one that never writes', async () => {
  const none = await skald('agent', 'status', '-c', hostFile('false'));
  expect([none.code, none.err.join('')]).toEqual([1, expect.stringContaining('status.json is not there')]);
  const never = await skald('agent', 'status', '-c', hostFile('false', 'statusFile: false\n'));
  expect([never.code, never.err.join('')]).toEqual([1, expect.stringContaining('neither')]);
});

test('a host file that is not there is wrong usage', async () => {
  expect((await skald('agent', 'status', '-c', join(dir, 'nope.yaml'))).code).toBe(2);
});
