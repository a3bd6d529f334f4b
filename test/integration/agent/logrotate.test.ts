import { execFile, spawnSync } from 'node:child_process';
import { appendFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { arrived, countRecords, readValues } from '../../support/read-topic.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type AgentHost, agentHost } from './agent-host.ts';
import { judgeLines, LINES_A_STEP, lineWriter } from './line-writer.ts';

const isHere = spawnSync('logrotate', ['--version']).error === undefined;
const ROTATIONS = 6;

async function setUp(directives: readonly string[]) {
  const topic = await freshTopic({ partitions: 3 });
  const host = await agentHost({ app: { topic } });
  const directory = join(host.logs, 'app');
  const config = join(host.logs, 'logrotate.conf');
  await writeFile(config, `${directory}/app.log {\n${directives.map((line) => `  ${line}\n`).join('')}}\n`, {
    mode: 0o644,
  });
  const state = join(host.logs, 'logrotate.state');
  return {
    topic,
    host,
    directory,
    writer: lineWriter(join(directory, 'app.log'), 'x'.repeat(100)),
    rotate: () => promisify(execFile)('logrotate', ['--force', '--state', state, config]),
  };
}

async function allCarried(host: AgentHost): Promise<void> {
  await waitFor(() => host.hasCarried('app', join(host.logs, 'app', 'app.log')), {
    timeoutMs: 90_000,
    what: 'everything is carried',
  });
}

/** What is in a copy that the agent has not seen yet is in no lag: some of its looks must have found nothing new. */
async function nothingComes(topic: string): Promise<void> {
  let [records, stillLooks] = [-1, 0];
  await waitFor(
    async () => {
      const before = records;
      records = await countRecords(topic);
      stillLooks = records === before ? stillLooks + 1 : 0;
      return stillLooks >= 10;
    },
    { timeoutMs: 60_000, intervalMs: 200, what: 'nothing more comes' },
  );
}

const RENAMING = ['rotate 3', 'create 0644', 'nomail', 'missingok'];
const COPYING = ['rotate 9', 'copytruncate', 'nomail'];

test.skipIf(!isHere).each([
  ['create, a chain of three', RENAMING],
  [
    'create, and the rotated file is compressed one rotation later',
    [...RENAMING, 'compress', 'delaycompress'],
  ],
])('logrotate with %s, under load: each line once', async (_, directives) => {
  const { topic, host, writer, rotate, directory } = await setUp(directives);
  host.start();
  await waitFor(async () => (await countRecords(topic)) > 0, {
    timeoutMs: 60_000,
    what: 'the first lines',
  });
  for (let i = 1; i <= ROTATIONS; i += 1) {
    const before = writer.written;
    await waitFor(() => writer.written > before + 2_000, { timeoutMs: 30_000, what: 'lines' });
    await rotate();
  }
  const written = await writer.stop();
  await arrived(topic, written);
  await allCarried(host);
  expect(judgeLines(await readValues(topic), written)).toEqual({ missing: [], doubled: [] });
  expect((await readdir(directory)).length).toBeGreaterThan(3); // otherwise nothing was rotated
});

test.skipIf(!isHere)(
  'logrotate with copytruncate, nobody writes meanwhile: each line once, the copies inside of the globs',
  async () => {
    const { topic, host, writer, rotate, directory } = await setUp(COPYING);
    await waitFor(() => writer.written > 2_000, { timeoutMs: 30_000, what: 'lines' });
    let written = await writer.stop();
    const log = join(directory, 'app.log');
    host.start();
    await waitFor(async () => (await countRecords(topic)) > 0, {
      timeoutMs: 60_000,
      what: 'the first lines',
    });
    await rotate();
    for (let i = 1; i <= ROTATIONS; i += 1) {
      const lines = Array.from({ length: 3_000 }, () => `line ${(written += 1)} ${'x'.repeat(100)}\n`).join(
        '',
      );
      await appendFile(log, lines);
      await rotate(); // while the agent reads
    }
    await arrived(topic, written);
    await allCarried(host);
    expect(judgeLines(await readValues(topic), written)).toEqual({ missing: [], doubled: [] });
  },
);

test.skipIf(!isHere)(
  'logrotate with copytruncate, under load: none twice, and what is missing was written while it copied and truncated',
  async () => {
    const { topic, host, writer, rotate } = await setUp(COPYING);
    host.start();
    await waitFor(async () => (await countRecords(topic)) > 0, {
      timeoutMs: 60_000,
      what: 'the first lines',
    });
    const windows: [from: number, to: number][] = [];
    for (let i = 1; i <= ROTATIONS; i += 1) {
      const before = writer.written;
      await waitFor(() => writer.written > before + 2_000, { timeoutMs: 30_000, what: 'lines' });
      const from = writer.written;
      await rotate();
      windows.push([from - LINES_A_STEP, writer.written + LINES_A_STEP]); // a step may be on its way to the file
    }
    const written = await writer.stop();
    await allCarried(host);
    await nothingComes(topic);
    const { missing, doubled } = judgeLines(await readValues(topic), written);
    expect(doubled).toEqual([]);
    expect(missing.filter((n) => !windows.some(([from, to]) => n >= from && n <= to))).toEqual([]);
  },
);
