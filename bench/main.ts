/** `npm run bench`: Skald against what would be written without it, in one run on one machine. Exits with 1 when a goal is not met. */
import { parseArgs } from 'node:util';
import { startStack } from '../scripts/stack/stack.ts';
import { makeTempDir } from '../scripts/stack/temp-dir.ts';
import { messageOf } from '../shared/errors.ts';
import type { Bench } from './bench.ts';
import { fileToKafka } from './file-to-kafka.ts';
import { kafkaToS3 } from './kafka-to-s3.ts';

const USAGE = `usage: npm run bench -- [agent | transporter] [--mb N] [--runs N] [--seed N]

Sends one generated file of N megabytes (default 256) N times (default 3) through each contender, interleaved, and
writes medians and ratios to bench/results, as Markdown and JSON. agent (the default): a file to Kafka.
transporter: a topic to objects in S3.
`;

const BENCHES: Readonly<Record<string, Bench>> = { agent: fileToKafka, transporter: kafkaToS3 };

async function main(): Promise<number> {
  const number = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { mb: number, runs: number, seed: number, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [mb, runs, seed] = [values.mb ?? '256', values.runs ?? '3', values.seed ?? '1'].map(Number);
  const bench = BENCHES[positionals[0] ?? 'agent'];
  const areCounts = [mb, runs, seed].every((value) => Number.isInteger(value) && value! > 0);
  if (bench === undefined || positionals.length > 1 || !areCounts) {
    process.stderr.write(USAGE);
    return 2;
  }
  const say = (line: string): void => void process.stderr.write(`${line}\n`);

  const directory = await makeTempDir('skald-bench-input-');
  const stack = await startStack({ s3: bench.needsS3, onProgress: say });
  const stop = async (): Promise<void> => {
    await stack.stop();
    await directory.remove();
  };
  const onSignal = (): void => void stop().finally(() => process.exit(130));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const plan = { bytes: mb! * 1e6, runs: runs!, seed: seed! };
    const report = await bench.run({ ...plan, stack, directory: directory.path, say });
    process.stdout.write(report.markdown);
    return report.isMet ? 0 : 1;
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
