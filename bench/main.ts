/** `npm run bench`: Skald against other programs and against what is possible, in one run on one machine. Exits with 1 when a goal is not met. */
import { join } from 'node:path';
import { projectRoot } from '../scripts/stack/project-root.ts';
import { type LocalStack, startStack } from '../scripts/stack/stack.ts';
import { makeTempDir } from '../scripts/stack/temp-dir.ts';
import { messageOf } from '../shared/errors.ts';
import type { Bench } from './bench.ts';
import { fileToKafka } from './file-to-kafka.ts';
import { existingInput, generateInput, type Input } from './input.ts';
import { kafkaToS3 } from './kafka-to-s3.ts';
import { latency } from './latency.ts';
import { micro } from './micro.ts';
import { type Options, parseOptions, USAGE, UsageError } from './options.ts';
import { profile } from './profile.ts';
import { progressOn } from './progress.ts';
import { scale } from './scale.ts';

const BENCHES: Readonly<Record<string, Bench>> = {
  agent: fileToKafka,
  transporter: kafkaToS3,
  latency,
  micro,
  profile,
  scale,
};

/** Topics that were read back go at once, so that the disk holds one at a time. */
const BROKER_SETTINGS = { 'log.segment.delete.delay.ms': '1000', 'log.retention.check.interval.ms': '5000' };

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  const bench = BENCHES[options.what];
  if (bench === undefined) throw new UsageError(`there is no ${options.what}`);
  return run(bench, options);
}

async function run(bench: Bench, options: Options): Promise<number> {
  const { say, show } = progressOn(process.stderr);
  const directory = await makeTempDir('skald-bench-input-');
  let starting: Promise<LocalStack> | undefined;
  const stop = async (): Promise<void> => {
    await starting?.then((stack) => stack.stop()).catch(() => {});
    await directory.remove();
  };
  // What is running ends with this process, and so does a stack that is still being started.
  const onSignal = (code: number) => () => void directory.remove().finally(() => process.exit(code));
  process.once('SIGINT', onSignal(130)).once('SIGTERM', onSignal(143));
  try {
    const report = await bench({
      ...options,
      makeInput: (defaultMb) => makeInput(options, directory.path, defaultMb, say),
      startStack: (parts) => {
        const { brokers } = options;
        starting = startStack({ ...parts, brokers, brokerSettings: BROKER_SETTINGS, onProgress: say });
        return starting;
      },
      directory: directory.path,
      out: options.out ?? join(projectRoot(), 'bench', 'results'),
      say,
      show,
    });
    show('');
    process.stdout.write(report.markdown);
    return report.isMet ? 0 : 1;
  } finally {
    await stop();
  }
}

async function makeInput(
  { file, mb, seed }: Options,
  directory: string,
  defaultMb: number,
  say: (line: string) => void,
): Promise<Input> {
  const input =
    file === undefined
      ? await generateInput(join(directory, 'access.log'), (mb ?? defaultMb) * 1e6, seed)
      : await existingInput(file);
  say(`input: ${(input.bytes / 1e6).toFixed(0)} MB, ${input.lines} lines`);
  return input;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(isUsage ? `bench: ${error.message}\n\n${USAGE}` : `bench: ${messageOf(error)}\n`);
  process.exitCode = isUsage ? 2 : 1;
}
