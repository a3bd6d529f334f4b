import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { spawnWithLifeline } from '../../scripts/stack/lifeline.ts';
import { projectRoot } from '../../scripts/stack/project-root.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const BENCH = join(projectRoot(), 'dist', 'bench', 'main.js');
const RUN_TIMEOUT_MS = 220_000;
/** Time for processes that were killed to be gone, on a busy machine. */
const CLEAN_TIMEOUT_MS = 15_000;

/** Starts the benchmark with a temporary directory of its own, which also marks every process that it starts. */
async function startBench(args: readonly string[]) {
  const temp = await tempDir();
  const { child, release } = spawnWithLifeline(process.execPath, [BENCH, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temp },
  });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.once('exit', release);
  const exited = () =>
    waitFor(() => child.exitCode !== null && { code: child.exitCode }, {
      timeoutMs: RUN_TIMEOUT_MS,
      what: 'the benchmark ends',
    });
  onTestFailed(() => void process.stderr.write(said));
  onTestFinished(() => void child.kill('SIGKILL'));
  return { temp, exited, said: () => said, signal: (name: NodeJS.Signals) => child.kill(name) };
}

/** Its processes, which have its temporary directory in their environment (proc(5)), and its files. */
function leftIn(temp: string): string[] {
  const processes = readdirSync('/proc').filter((entry) => {
    try {
      return readFileSync(`/proc/${entry}/environ`, 'latin1').includes(`TMPDIR=${temp}\0`);
    } catch {
      return false;
    }
  });
  return [...processes, ...readdirSync(temp)];
}

const leavesNothing = (temp: string) =>
  waitFor(() => leftIn(temp).length === 0, {
    timeoutMs: CLEAN_TIMEOUT_MS,
    what: 'no process and no file of the benchmark is left',
  });

const resultsSchema = z.object({
  lines: z.number(),
  versions: z.record(z.string(), z.string().nullable()),
  measured: z.array(
    z.object({
      name: z.string(),
      runs: z.array(
        z.object({
          cpuSeconds: z.number().positive(),
          wallSeconds: z.number().positive(),
          peakMemoryBytes: z.number().positive(),
          serverCpuSeconds: z.number().positive(),
          storedBytes: z.number().positive(),
          records: z.number(),
        }),
      ),
    }),
  ),
});

test('the benchmark runs what is installed, names what is not, reads every line back and leaves nothing but its report', async () => {
  const out = await tempDir();
  const few = ['--mb', '2', '--runs', '1', '--brokers', '1', '--only', 'kcat,kafkajs'];
  const bench = await startBench([...few, '--out', out]);
  await bench.exited(); // so few lines meet no goal

  const results = resultsSchema.parse(JSON.parse(await readFile(join(out, 'file-to-kafka.json'), 'utf8')));
  const markdown = await readFile(join(out, 'file-to-kafka.md'), 'utf8');
  const names = results.measured.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['skald agent, lz4', 'skald agent, zstd', 'kafkajs, lz4']));
  for (const [program, version] of Object.entries(results.versions)) {
    expect(names.some((name) => name.startsWith(`${program},`))).toBe(version !== null);
    expect(markdown).toContain(
      version === null ? `${program}: not installed, not run` : `${program} ${version}`,
    );
  }
  expect(results.lines).toBeGreaterThan(0);
  expect(results.measured.flatMap(({ runs }) => runs.map(({ records }) => records))).toEqual(
    names.map(() => results.lines),
  );
  expect(await readFile(join(out, 'file-to-kafka.svg'), 'utf8')).toContain('skald agent, zstd');
  await leavesNothing(bench.temp);
}, 240_000);

test('Ctrl-C while a program is being measured leaves nothing', async () => {
  const bench = await startBench(['--mb', '60', '--brokers', '1', '--out', await tempDir()]);
  await waitFor(() => /consumer groups answer/.exec(bench.said()), {
    timeoutMs: RUN_TIMEOUT_MS,
    what: 'the brokers answer',
  });
  await waitFor(() => readdirSync(bench.temp).length > 2, {
    timeoutMs: RUN_TIMEOUT_MS,
    what: 'a program runs in a directory of its own, beside the input and the brokers',
  });

  bench.signal('SIGINT');

  expect(await bench.exited()).toEqual({ code: 130 });
  await leavesNothing(bench.temp);
}, 240_000);

test.each([
  [['everything'], /there is no everything/],
  [['--mb', 'all'], /--mb must be a whole number/],
  [['--only', 'cat'], /there is no program cat/],
])('%j is refused before anything is started', async (args, reason) => {
  const bench = await startBench(args);
  expect(await bench.exited()).toEqual({ code: 2 });
  expect(bench.said()).toMatch(reason);
  await leavesNothing(bench.temp);
});
