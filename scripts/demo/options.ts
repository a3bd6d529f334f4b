import { parseArgs } from 'node:util';
import { messageOf } from '../../shared/errors.ts';
import { UsageError } from './demo-error.ts';

export const HELP = `Usage: npm run demo -- [options] [file or directory ...]

Starts three Kafka brokers in three racks and an S3 server on loopback, two agents that tail growing and rotating log
files, and two transporter workers; shows their progress; then reads every object back and says whether each line
arrived exactly once. Everything that it started ends with it.

  npm run demo                          a million generated lines
  npm run demo -- --lines 10000000      ten million
  npm run demo -- --chaos               one agent and one worker are killed with SIGKILL in the middle
  npm run demo -- --keep                leave all of it running afterwards, to look around
  npm run demo -- /var/log/some.log     lines of your own; the file is only read

Options:
  --lines N    lines to generate (default 1000000)
  --seed N     seed of the generated lines (default 1)
  --chaos      SIGKILL an agent at a third of the lines and a worker at two thirds; both are started again
  --keep       after the report keep everything running until Ctrl-C
  -h, --help   show this

Exit codes: 0 every line arrived exactly once, 1 not, or something failed, 2 wrong usage, 130 ended by Ctrl-C.
`;

export interface DemoOptions {
  lines: number;
  seed: number;
  chaos: boolean;
  keep: boolean;
  /** The user's own files and directories; without any, lines are generated. */
  paths: readonly string[];
}

const DEFAULT_LINES = 1_000_000;
const MOST_LINES = 1_000_000_000;
const MOST_SEED = 2 ** 31 - 1;

/** Undefined when help was asked for. @throws UsageError */
export function parseOptions(args: readonly string[]): DemoOptions | undefined {
  const { values, positionals: paths } = parse(args);
  if (values.help) return undefined;
  const isGenerated = paths.length === 0;
  if (!isGenerated && (values.lines !== undefined || values.seed !== undefined))
    throw new UsageError('--lines and --seed are for generated lines, not for files of your own');
  return {
    lines: wholeNumber('--lines', values.lines, { fallback: DEFAULT_LINES, min: 1, max: MOST_LINES }),
    seed: wholeNumber('--seed', values.seed, { fallback: 1, min: 0, max: MOST_SEED }),
    chaos: values.chaos,
    keep: values.keep,
    paths,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        lines: { type: 'string' },
        seed: { type: 'string' },
        chaos: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${messageOf(error)}; see npm run demo -- --help`, { cause: error });
  }
}

function wholeNumber(
  option: string,
  text: string | undefined,
  { fallback, min, max }: { fallback: number; min: number; max: number },
): number {
  if (text === undefined) return fallback;
  // People group long numbers: 10_000_000 and 10,000,000 are as good as 10000000.
  const digits = text.replaceAll(/(?<=\d)[_,](?=\d)/g, '');
  const value = /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new UsageError(`${option} must be a whole number from ${min} to ${max}, not "${text}"`);
  return value;
}
