import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fixedPorts } from '../../../scripts/stack/fixed-ports.ts';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { isFree, LOOPBACK } from '../../../scripts/stack/ports.ts';
import { identityOf } from '../../../scripts/stack/process-identity.ts';
import { projectRoot } from '../../../scripts/stack/project-root.ts';
import type { RunState } from '../../../scripts/stack/run-state.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

const COMMAND = join(projectRoot(), 'dist', 'scripts', 'stack', 'main.js');

interface Result {
  code: number | null;
  output: string;
}

async function stackCommand(...args: string[]): Promise<Result> {
  const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  await once(child, 'close');
  return { code: child.exitCode, output };
}

/** Moves the documented ports to where nobody listens, so that a stack that somebody uses is left alone. */
async function freeOffset(): Promise<number> {
  for (let offset = 100; offset < 10_000; offset += 10) {
    const { brokers, controllers, s3 } = fixedPorts(offset);
    const free = await Promise.all([...brokers, ...controllers, s3].map(isFree));
    if (!free.includes(false)) return offset;
  }
  throw new Error('no free ports for a second stack');
}

test('start, status, start again and stop: one stack, which later commands find', async () => {
  const dir = await tempDir();
  const offset = await freeOffset();
  const where = ['--dir', dir];
  onTestFinished(async () => {
    await stackCommand('stop', ...where);
  });
  expect(await stackCommand('status', ...where)).toMatchObject({ code: 3 });

  const started = await stackCommand('start', ...where, '--port-offset', String(offset));
  expect(started).toMatchObject({ code: 0 });
  const state: RunState = JSON.parse(await readFile(join(dir, 'state.json'), 'utf8'));
  const again = await stackCommand('start', ...where, '--port-offset', String(offset));
  const status = await stackCommand('status', ...where);
  expect(again).toMatchObject({ code: 0 });
  expect(status.code).toBe(0);
  expect(status.output).toContain(`process ${state.holder.pid}`);
  for (const port of fixedPorts(offset).brokers) expect(status.output).toContain(`${LOOPBACK}:${port}`);
  expect(status.output).toContain('AWS_ACCESS_KEY_ID=');

  const taken = await stackCommand('start', '--dir', await tempDir(), '--port-offset', String(offset));
  expect(taken.code).toBe(1);
  expect(taken.output).toContain(
    `port ${fixedPorts(offset).s3} is taken by java (process ${state.ready!.s3Pid})`,
  );

  const broker = `${LOOPBACK}:${fixedPorts(offset).brokers[0]}`;
  await kafkaTool('org.apache.kafka.tools.TopicCommand', ['--bootstrap-server', broker, '--list']);

  expect(await stackCommand('stop', ...where)).toMatchObject({ code: 0 });
  const pids = [state.holder.pid, state.ready!.s3Pid!, ...state.ready!.brokers.map(({ pid }) => pid!)];
  expect(pids.map(identityOf).filter((identity) => identity !== undefined)).toEqual([]);
  expect(await stackCommand('stop', ...where)).toMatchObject({ code: 0 });
});

test('a stop in the middle of a start leaves nothing running', async () => {
  const dir = await tempDir();
  const starting = stackCommand('start', '--dir', dir, '--port-offset', String(await freeOffset()));
  await waitFor(async () => (await readFile(join(dir, 'state.json'), 'utf8')) !== '', {
    timeoutMs: 30_000,
    what: 'the state of a starting stack',
  });

  expect(await stackCommand('stop', '--dir', dir)).toMatchObject({ code: 0 });

  expect((await starting).code).toBe(1);
  expect(await stackCommand('status', '--dir', dir)).toMatchObject({ code: 3 });
});

test('a state that a killed holder left is not believed', async () => {
  const dir = await tempDir();
  const offset = await freeOffset();
  const port = fixedPorts(offset).s3;
  const server = createServer();
  await once(server.listen(port, LOOPBACK), 'listening');
  onTestFinished(() => void server.close());
  const state: RunState = {
    version: 1,
    holder: { pid: process.pid, startTime: '1' },
    startedAt: '2026-01-01T00:00:00Z',
  };
  await writeFile(join(dir, 'state.json'), JSON.stringify(state));

  expect(await stackCommand('stop', '--dir', dir)).toMatchObject({ code: 0 });
  // This process has the id that the state names, but started at another time: it must be alive to say so.
  const refused = await stackCommand('start', '--dir', dir, '--port-offset', String(offset));

  expect(refused.code).toBe(1);
  expect(refused.output).toContain(`port ${port} is taken by`);
  expect(refused.output).toContain(`(process ${process.pid})`);
});

test('without a command it shows how to use it and fails', async () => {
  expect(await stackCommand()).toMatchObject({ code: 2 });
  expect((await stackCommand('--help')).output).toContain('--port-offset');
  expect(await stackCommand('restart')).toMatchObject({ code: 2 });
});
