import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { identityOf } from '../../../scripts/stack/process-identity.ts';
import { projectRoot } from '../../../scripts/stack/project-root.ts';
import { waitFor } from '../../support/wait-for.ts';

const BUILT_STACK = pathToFileURL(join(projectRoot(), 'dist', 'scripts', 'stack', 'stack.js')).href;

interface StackReport {
  pids: number[];
  dataDir: string;
}

/** A program that starts a stack, says so, and never stops it by itself. */
async function startOwner(): Promise<{ kill: (signal: NodeJS.Signals) => void; report: StackReport }> {
  const program = `
    const { startStack } = await import(${JSON.stringify(BUILT_STACK)});
    const stack = await startStack({ brokers: 1 });
    const pids = [stack.brokers[0].pid, stack.s3Pid];
    console.log(JSON.stringify({ pids, dataDir: stack.dataDir }));
  `;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void owner.kill('SIGKILL'));
  const [line]: unknown[] = await once(owner.stdout.setEncoding('utf8'), 'data');
  const report: StackReport = JSON.parse(String(line));
  return { kill: (signal) => owner.kill(signal), report };
}

test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
  'when the program that started a stack dies by %s, nothing of it is left',
  async (signal) => {
    const { kill, report } = await startOwner();
    expect(report.pids.map((pid) => identityOf(pid) === undefined)).toEqual([false, false]);

    kill(signal);

    await waitFor(() => report.pids.every((pid) => identityOf(pid) === undefined), {
      timeoutMs: 60_000,
      what: 'broker and S3 are gone',
    });
    await waitFor(() => !existsSync(report.dataDir), {
      timeoutMs: 60_000,
      what: 'the data directory is gone',
    });
  },
);
