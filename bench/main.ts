/**
 * `npm run bench`: the agent against kafkajs's own producer, file to acknowledged records, in one run on one machine.
 * Exits with 1 when a goal is not met.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { createLineMaker } from '../scripts/demo/log-line.ts';
import { projectRoot } from '../scripts/stack/project-root.ts';
import { startStack } from '../scripts/stack/stack.ts';
import { makeTempDir } from '../scripts/stack/temp-dir.ts';
import { messageOf } from '../shared/errors.ts';
import { kafkajsLz4 } from './contenders/kafkajs.ts';
import { skald } from './contenders/skald.ts';
import { cpuPerGb, type Goal, markdown, type Measured } from './report.ts';
import { type Input, runOnce } from './run.ts';

const USAGE = `usage: npm run bench -- [--mb N] [--runs N] [--seed N]

Sends one generated file of N megabytes (default 256) N times (default 3) through each contender, interleaved, and
writes medians and ratios to bench/results/file-to-kafka.md and .json.
`;
const LINES_A_WRITE = 5_000;

async function generate(file: string, bytes: number, seed: number): Promise<Input> {
  const out = createWriteStream(file);
  const nextLine = createLineMaker('bench', seed, Date.UTC(2026, 0, 1));
  let written = 0;
  let lines = 0;
  while (written < bytes) {
    const text = `${Array.from({ length: LINES_A_WRITE }, nextLine).join('\n')}\n`;
    written += text.length; // the lines are ASCII
    lines += LINES_A_WRITE;
    if (!out.write(text)) await once(out, 'drain');
  }
  out.end();
  await finished(out);
  return { file, bytes: (await stat(file)).size, lines };
}

function goalsOf(measured: readonly Measured[], input: Input): Goal[] {
  const peer = measured.find(({ name }) => name === kafkajsLz4.name)!;
  return measured
    .filter((one) => one !== peer)
    .map((one) => ({
      text: `CPU per byte of ${one.name} over ${peer.name}`,
      ratio: cpuPerGb(one, input) / cpuPerGb(peer, input),
      bound: 0.2,
    }));
}

async function main(): Promise<number> {
  const number = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { mb: number, runs: number, seed: number, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [mb, runs, seed] = [values.mb ?? '256', values.runs ?? '3', values.seed ?? '1'].map(Number);
  if (![mb, runs, seed].every((value) => Number.isInteger(value) && value! > 0)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const say = (line: string): void => void process.stderr.write(`${line}\n`);

  const contenders = [skald('zstd'), skald('lz4'), kafkajsLz4];
  const measured: Measured[] = contenders.map(({ name }) => ({ name, runs: [] }));
  const directory = await makeTempDir('skald-bench-input-');
  const stack = await startStack({ s3: false, onProgress: say });
  const stop = async (): Promise<void> => {
    await stack.stop();
    await directory.remove();
  };
  const onSignal = (): void => void stop().finally(() => process.exit(130));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const input = await generate(join(directory.path, 'access.log'), mb! * 1e6, seed!);
    say(`input: ${(input.bytes / 1e6).toFixed(0)} MB, ${input.lines} lines`);
    for (let run = 0; run < runs!; run += 1) {
      for (const [i, contender] of contenders.entries()) {
        const result = await runOnce(contender, input, `bench-${run}-${i}`, stack.bootstrap);
        if (result.records !== input.lines)
          throw new Error(`${contender.name}: ${result.records} records, ${input.lines} lines`);
        measured[i]!.runs.push(result);
        say(
          `run ${run + 1}, ${contender.name}: ${result.cpuSeconds.toFixed(2)} CPU s, ${result.wallSeconds.toFixed(2)} s`,
        );
      }
    }
    const goals = goalsOf(measured, input);
    const results = join(projectRoot(), 'bench', 'results');
    await mkdir(results, { recursive: true });
    const report = markdown(input, measured, goals);
    await writeFile(join(results, 'file-to-kafka.md'), report);
    await writeFile(
      join(results, 'file-to-kafka.json'),
      `${JSON.stringify({ bytes: input.bytes, lines: input.lines, measured, goals }, null, 2)}\n`,
    );
    process.stdout.write(report);
    return goals.every((goal) => goal.ratio <= goal.bound) ? 0 : 1;
  } finally {
    await stop();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
