// The command behind `npm test`: runs all projects of vitest.config.ts, passes its arguments through to Vitest, and ends
// with one line that programs can read: "N passed, N failed".
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { spawnWithLifeline } from './stack/lifeline.ts';
import { projectRoot } from './stack/project-root.ts';
import { makeTempDir } from './stack/temp-dir.ts';
import { countTests } from './test-counts.ts';
import type { TestReport } from './test-counts.ts';

/** Every test has its own bound; this one is for a run that hangs outside of them. */
const RUN_TIMEOUT_MS = 60 * 60_000;
const VITEST = join(projectRoot(), 'node_modules', 'vitest', 'vitest.mjs');

async function main(args: readonly string[]): Promise<number> {
  const temp = await makeTempDir('skald-tests-');
  try {
    const reportFile = join(temp.path, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
    const exitCode = await runVitest(['run', ...reporters, ...args]);
    const { passed, failed } = countTests(await readReport(reportFile), exitCode);
    console.log(`${passed} passed, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  } finally {
    await temp.remove();
  }
}

/** Returns null when a signal ended it. A signal to this process goes on to Vitest, which then ends what it started. */
async function runVitest(args: readonly string[]): Promise<number | null> {
  const { child, release } = spawnWithLifeline(process.execPath, [VITEST, ...args], {
    stdio: ['ignore', process.stdout.fd, process.stderr.fd],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_TIMEOUT_MS);
  await once(child, 'exit');
  clearTimeout(timer);
  release();
  return child.exitCode;
}

async function readReport(path: string): Promise<TestReport | undefined> {
  try {
    const report: TestReport = JSON.parse(await readFile(path, 'utf8'));
    return report;
  } catch {
    return undefined;
  }
}

process.exitCode = await main(process.argv.slice(2));
