import { mkdirSync, openSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { spawnWithLifeline } from '../stack/lifeline.ts';
import { projectRoot } from '../stack/project-root.ts';
import { DemoError } from './demo-error.ts';
import { formatCount } from './format.ts';
import type { GeneratorPlan, Written, WrittenFile } from './generate.ts';
import { createGeneratedCheck } from './generated-check.ts';
import type { GeneratorReport } from './generator.ts';
import type { LineSource } from './line-source.ts';
import { logTail } from './log-tail.ts';

const HOSTS = [
  { name: 'host-a', files: ['shop.log', 'api.log', 'login.log'] },
  { name: 'host-b', files: ['search.log', 'stock.log', 'billing.log'] },
] as const;
const GENERATIONS = 5;
/** With room to spare: a line has 230 bytes; three brokers and S3 hold it compressed to less than a third. */
const DISK_BYTES_PER_LINE = 600;

export interface GeneratedOptions {
  lines: number;
  seed: number;
  /** The files are made below it. */
  directory: string;
  /** Shortest time that the writing takes, so that something can happen in the middle of a small run; 0 for full speed. */
  minSeconds: number;
  logFile: string;
  onFailure: (error: DemoError) => void;
}

/** Lines that a process of its own writes to three files on each of two "hosts", and rotates. */
export function openGeneratedSource(options: GeneratedOptions): LineSource {
  const { lines, directory, logFile } = options;
  const plan = planOf(options);
  let written: Written = { lines: 0, bytes: 0 };
  let files: readonly WrittenFile[] | undefined;
  let stop = async (): Promise<void> => {};

  const take = (report: GeneratorReport): void => {
    if (report.kind === 'done') files = report.files;
    else written = { lines: report.lines, bytes: report.bytes };
  };
  const start = (): number => {
    const log = openSync(logFile, 'a');
    const generator = join(projectRoot(), 'dist', 'scripts', 'demo', 'generator.js');
    const { child, release } = spawnWithLifeline(process.execPath, [generator, JSON.stringify(plan)], {
      stdio: ['ignore', 'pipe', log],
    });
    closeSync(log);
    const isGone = new Promise<void>((resolve) => {
      child.once('exit', release);
      // After `close`, not `exit`, everything that it said has been read.
      child.once('close', () => {
        resolve();
        if (files === undefined)
          options.onFailure(new DemoError(`the generator of log lines failed\n${logTail(logFile)}`));
      });
    });
    createInterface({ input: child.stdout! }).on('line', (line) => take(JSON.parse(line)));
    stop = async () => {
      child.kill('SIGKILL');
      await isGone;
    };
    return performance.now();
  };

  return {
    summary: [
      `${formatCount(lines)} lines (seed ${options.seed}) go to ${plan.files.length} log files on two hosts,`,
      `each rotated ${GENERATIONS - 1} times, in ${directory}`,
    ],
    diskBytes: lines * DISK_BYTES_PER_LINE,
    // Rotated files stay within the globs, so that none can be written and renamed between two looks of an agent.
    include: HOSTS.map(({ name }) => [`${join(directory, name)}/*.log*`]),
    start,
    get written() {
      return written;
    },
    get total() {
      return files === undefined ? undefined : written;
    },
    isCarried: ({ records, lagBytes }) => files !== undefined && records >= written.lines && lagBytes === 0,
    async openCheck() {
      if (files === undefined) throw new Error('the generator is not done');
      return createGeneratedCheck(files);
    },
    close: () => stop(),
  };
}

function planOf({ lines, seed, directory, minSeconds }: GeneratedOptions): GeneratorPlan {
  const names = HOSTS.flatMap((host) => {
    mkdirSync(join(directory, host.name), { recursive: true });
    return host.files.map((file) => `${host.name}/${file}`);
  });
  const files = names.map((name, index) => ({
    name,
    lines: Math.floor(lines / names.length) + (index < lines % names.length ? 1 : 0),
  }));
  return {
    files,
    directory,
    linesPerRotation: Math.ceil(lines / names.length / GENERATIONS),
    seed,
    startMs: Date.now(),
    ...(minSeconds > 0 && { linesPerSecond: lines / minSeconds }),
  };
}
