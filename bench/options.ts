import { parseArgs } from 'node:util';

export const USAGE = `usage: npm run bench -- [WHAT] [options]

  agent        (the default) a file to Kafka: the agent and every other program for this that is installed
  transporter  a topic to objects in S3: the transporter and a consumer of kafkajs
  micro        framing, decoding, codecs and checksums alone, against what they cannot be faster than
  profile      where the agent's CPU time goes, function by function
  latency      from a line's writing to its acknowledgement, at a fixed rate over many files
  scale        the cost of a GB over 1, 10, 100 and 1,000 files and partitions

  --mb N          size of the generated input; the default depends on what is measured
  --file PATH     an input of your own instead, which is only read
  --runs N        of each program
  --seed N        other lines; the same seed gives the same ones
  --rate N[MB]    latency: bytes a second, of all files together (default 50MB)
  --files N       latency: how many files (default 1000)
  --seconds N     latency: how long the rate is held (default 30)
  --only A,B      agent: beside ours these programs and no others, such as kcat,rsyslog
  --brokers 1|3   brokers, and replicas of each partition (default 3)
  --out DIRECTORY where the report goes (default bench/results)

Reports are Markdown, JSON and a chart. Exit code 1: a goal is not met, or something failed; 2: wrong usage.
`;

export interface Options {
  what: string;
  mb: number | undefined;
  file: string | undefined;
  runs: number | undefined;
  seed: number;
  rate: number;
  files: number;
  seconds: number;
  only: string[] | undefined;
  brokers: 1 | 3;
  out: string | undefined;
}

/** @throws UsageError that says which option is wrong; 'help' when that is asked for */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values, positionals } = parse(args);
  if (values.help === true) return 'help';
  if (positionals.length > 1) throw new UsageError(`one thing at a time, not ${positionals.join(' and ')}`);
  const brokers = count('--brokers', values.brokers ?? '3');
  if (brokers !== 1 && brokers !== 3) throw new UsageError('--brokers must be 1 or 3');
  if (values.file !== undefined && values.mb !== undefined)
    throw new UsageError('--file is as long as it is: leave --mb out');
  return {
    what: positionals[0] ?? 'agent',
    mb: optionalCount('--mb', values.mb),
    file: values.file,
    runs: optionalCount('--runs', values.runs),
    seed: count('--seed', values.seed ?? '1'),
    rate: bytesASecond(values.rate ?? '50MB'),
    files: count('--files', values.files ?? '1000'),
    seconds: count('--seconds', values.seconds ?? '30'),
    only: values.only?.split(','),
    brokers,
    out: values.out,
  };
}

export class UsageError extends Error {}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        mb: text,
        file: text,
        runs: text,
        seed: text,
        rate: text,
        files: text,
        seconds: text,
        only: text,
        brokers: text,
        out: text,
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function optionalCount(name: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : count(name, text);
}

function count(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new UsageError(`${name} must be a whole number above 0, not ${text}`);
  return Number(text);
}

/** `50MB` and `50` are 50 million bytes. */
function bytesASecond(text: string): number {
  return count('--rate', text.replace(/MB$/i, '')) * 1e6;
}
