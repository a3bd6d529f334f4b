import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { projectRoot } from '../../../scripts/stack/project-root.ts';
import { countTests } from '../../../scripts/test-counts.ts';
import type { TestCounts, TestReport } from '../../../scripts/test-counts.ts';
import { tempDir } from '../../support/temp-dir.ts';

const VITEST = join(projectRoot(), 'node_modules', 'vitest', 'vitest.mjs');

/** Counts what a real run of Vitest reports about these files. */
async function countRunOf(files: Record<string, string>): Promise<TestCounts> {
  const root = await tempDir();
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
  const report = join(root, 'report.json');
  const args = ['run', '--globals', '--root', root, '--reporter=json', `--outputFile=${report}`];
  const child = spawn(process.execPath, [VITEST, ...args], {
    stdio: 'ignore',
    env: { ...process.env, VITEST: '' },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'exit');
  const parsed = await readFile(report, 'utf8').then(
    (text): TestReport => JSON.parse(text),
    () => undefined,
  );
  return countTests(parsed, child.exitCode);
}

describe('the counts of a test run', { timeout: 60_000 }, () => {
  test('passed and failed tests of all files; skipped ones are neither', async () => {
    const counts = await countRunOf({
      'a.test.js': `test('1', () => {}); test('2', () => {}); test.skip('3', () => {});`,
      'b.test.js': `test('4', () => { expect(1).toBe(2); }); test('5', () => {});`,
    });

    expect(counts).toEqual({ passed: 3, failed: 1 });
  });

  test('a file that cannot be loaded is a failure, as is one whose set-up fails', async () => {
    const counts = await countRunOf({
      'good.test.js': `test('1', () => {});`,
      'broken.test.js': `import './missing.js'; test('2', () => {});`,
      'setup.test.js': `beforeAll(() => { throw new Error('no'); }); test('3', () => {}); test('4', () => {});`,
    });

    expect(counts).toEqual({ passed: 1, failed: 2 });
  });

  test('an error that no test caught is a failure although every test passed', async () => {
    const counts = await countRunOf({
      'late.test.js': `test('1', async () => { Promise.reject(new Error('nobody')); });`,
    });

    expect(counts).toEqual({ passed: 1, failed: 1 });
  });

  test('a run without tests is a failure', async () => {
    expect(await countRunOf({})).toEqual({ passed: 0, failed: 1 });
  });

  test('a run without a report is a failure, whatever its exit code', () => {
    expect(countTests(undefined, 0)).toEqual({ passed: 0, failed: 1 });
    expect(countTests(undefined, null)).toEqual({ passed: 0, failed: 1 });
  });
});
