/** What a GB costs the agent over more and more files, and over more and more partitions: it should be the same. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { curveChart } from './chart.ts';
import { PARTITIONS } from './fill-topic.ts';
import type { Input } from './input.ts';
import { measurePeer } from './measure-peer.ts';
import type { PeerJob } from './peer.ts';
import { prepareAgent } from './peers/skald.ts';
import { machineLine, median, thisMachine, writeResults } from './report.ts';

const DEFAULT_MB = 200;
const DEFAULT_RUNS = 1;
const COUNTS = [1, 10, 100, 1000];
const NEWLINE = 0x0a;

interface Point {
  count: number;
  cpuSecondsPerGb: number;
  mbPerSecond: number;
  peakMb: number;
  serverCpuSecondsPerGb: number;
}

export const scale: Bench = async ({ makeInput, runs = DEFAULT_RUNS, startStack, out, say, show }) => {
  const machine = thisMachine();
  const input = await makeInput(DEFAULT_MB);
  const stack = await startStack({ s3: false });
  const measure = async (name: string, count: number, partitions: number, files: number): Promise<Point> => {
    const results = [];
    for (let run = 1; run <= runs; run += 1) {
      const peer = {
        name: 'skald agent',
        // All files are there when the agent starts; they are made beside its own.
        prepare: async (job: PeerJob) => {
          await split(input.file, job.directory, files);
          const include = [join(job.directory, 'part-*.log')];
          return prepareAgent(job, {
            pipeline: { files: { include }, partitioner: { type: 'round-robin' } },
          });
        },
      };
      const topic = `scale-${name}-${count}-${run}`;
      const onRecords = (records: number): void =>
        show(`${count} ${name}: ${Math.floor((records / input.lines) * 100)} % of the lines`);
      const fill = { peer, codec: 'zstd', input, topic, onRecords, partitions } as const;
      results.push(await measurePeer(fill, stack));
    }
    const gb = input.bytes / 1e9;
    const point = {
      count,
      cpuSecondsPerGb: median(results.map(({ cpuSeconds }) => cpuSeconds)) / gb,
      mbPerSecond: median(results.map(({ wallSeconds }) => input.bytes / 1e6 / wallSeconds)),
      peakMb: median(results.map(({ peakMemoryBytes }) => peakMemoryBytes)) / 1e6,
      serverCpuSecondsPerGb: median(results.map(({ serverCpuSeconds }) => serverCpuSeconds)) / gb,
    };
    say(
      `${count} ${name}: ${point.cpuSecondsPerGb.toFixed(2)} CPU s per GB, ${point.mbPerSecond.toFixed(0)} MB/s`,
    );
    return point;
  };
  const files: Point[] = [];
  const partitions: Point[] = [];
  for (const count of COUNTS) {
    files.push(await measure('files', count, PARTITIONS, count));
    partitions.push(await measure('partitions', count, count, 1));
  }
  const curve = (label: string, points: readonly Point[]) => ({
    label,
    points: points.map(({ count: x, cpuSecondsPerGb: y }) => ({ x, y })),
  });
  const chart = curveChart('CPU seconds per GB of the agent', 'files or partitions', [
    curve(`files, ${PARTITIONS} partitions`, files),
    curve('partitions, 1 file', partitions),
  ]);
  const markdown = [
    '# The cost over files and partitions',
    '',
    `${(input.bytes / 1e6).toFixed(0)} MB of access log, ${input.lines.toLocaleString('en')} lines, in so many files of the same size that are there when the agent starts, or to a`,
    `topic of so many partitions; zstd, partitioner round-robin, start-up included, ${runs} run${runs === 1 ? '' : 's'} of each, every line read back. Servers are`,
    'the three brokers.',
    '',
    machineLine(machine),
    '',
    '![CPU seconds per GB over files and partitions](scale.svg)',
    '',
    ...tableOf(`files, ${PARTITIONS} partitions`, files),
    '',
    ...tableOf('partitions, 1 file', partitions),
    '',
  ].join('\n');
  await writeResults(
    'scale',
    { markdown, json: { machine, bytes: input.bytes, files, partitions }, chart },
    out,
  );
  return { markdown, isMet: true };
};

function tableOf(title: string, points: readonly Point[]): string[] {
  return [
    `| ${title} | CPU s per GB | MB/s | peak MB | servers: CPU s per GB |`,
    '|---|---|---|---|---|',
    ...points.map((point) => {
      const figures = [
        point.cpuSecondsPerGb.toFixed(2),
        point.mbPerSecond.toFixed(0),
        point.peakMb.toFixed(0),
      ];
      return `| ${point.count} | ${figures.join(' | ')} | ${point.serverCpuSecondsPerGb.toFixed(2)} |`;
    }),
  ];
}

/** Cuts a file into `count` files of whole lines and about the same size. */
export async function split(file: Input['file'], folder: string, count: number): Promise<void> {
  const bytes = await readFile(file);
  let start = 0;
  for (let i = 1; i <= count; i += 1) {
    const wanted = Math.floor((bytes.length * i) / count);
    const end = i === count ? bytes.length : bytes.lastIndexOf(NEWLINE, wanted - 1) + 1;
    await writeFile(join(folder, `part-${i}.log`), bytes.subarray(start, Math.max(start, end)));
    start = Math.max(start, end);
  }
}
