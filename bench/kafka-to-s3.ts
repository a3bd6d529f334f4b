/** The transporter against a consumer of kafkajs, and Kafka Connect where it is there: a topic to objects in S3. */
import { join } from 'node:path';
import type { LocalStack } from '../scripts/stack/stack.ts';
import { bareCodecsPerGb } from './bare-codecs.ts';
import type { Bench } from './bench.ts';
import { type DrainResult, drainTopic } from './drain-topic.ts';
import { fillTopic, PARTITIONS } from './fill-topic.ts';
import { generateInput, type Input } from './input.ts';
import type { PeerJob } from './peer.ts';
import { prepareAgent } from './peers/skald.ts';
import { cpuSecondsOf } from './process-cost.ts';
import {
  cpuPerGb,
  figuresOf,
  type Goal,
  type Measured,
  median,
  type RunResult,
  thisMachine,
  writeReport,
} from './report.ts';
import { connectFileSink } from './sinks/connect-file.ts';
import { kafkajsSink } from './sinks/kafkajs.ts';
import { skaldSink } from './sinks/skald.ts';

const MB = 1e6;
/** Text of an object, the same for all. */
const CHUNK_BYTES = 16 * 1024 * 1024;
const CHUNK = { maxBytes: CHUNK_BYTES };
const LINES_ZSTD = skaldSink('skald lines, zstd 1', { codec: 'zstd' }, CHUNK);
const LINES_GZIP = skaldSink('skald lines, gzip 6', { codec: 'gzip' }, CHUNK);
const LINES_PLAIN = skaldSink('skald lines, no codec', { codec: 'none' }, CHUNK);
const KAFKAJS = kafkajsSink({ level: 6, chunkBytes: CHUNK_BYTES });
const SINKS = [
  LINES_ZSTD,
  skaldSink('skald lines, zstd 3', { codec: 'zstd', level: 3 }, CHUNK),
  LINES_GZIP,
  skaldSink('skald lines, gzip 1', { codec: 'gzip', level: 1 }, CHUNK),
  skaldSink('skald jsonl, zstd 1', { format: 'jsonl', codec: 'zstd' }, CHUNK),
  skaldSink('skald parquet, zstd 1', { format: 'parquet', codec: 'zstd' }, CHUNK),
  LINES_PLAIN,
  KAFKAJS,
  connectFileSink,
];
/** Of a worker's memory; the default. */
const BUDGET_MB = (512 * 2 ** 20) / MB;

/** Writes to each partition in turn, so that all have as much. */
const FILLER = {
  name: 'skald agent',
  prepare: (job: PeerJob) => prepareAgent(job, { pipeline: { partitioner: { type: 'round-robin' } } }),
};
const DEFAULT_MB = 256;
const DEFAULT_RUNS = 3;

interface StoredRun extends RunResult {
  objects: number;
  /** What a run over a few thousand lines costs; `cpuSeconds` is without it, and `wallSeconds` without what it takes. */
  startCpuSeconds: number;
}

interface Stored extends Measured {
  runs: StoredRun[];
}

/** CPU seconds per GB of the codecs alone. */
interface Bare {
  zstd: number;
  gzip: number;
}

export const kafkaToS3: Bench = async (options) => {
  const { makeInput, runs = DEFAULT_RUNS, seed, startStack, directory, out, say, show } = options;
  const machine = thisMachine();
  const input = await makeInput(DEFAULT_MB);
  const stack = await startStack({ s3: true });
  const fill = { peer: FILLER, codec: 'zstd', bootstrap: stack.bootstrap } as const;
  await fillTopic({ ...fill, input, topic: 'whole' });
  say(`the topic holds ${(input.bytes / MB).toFixed(0)} MB, ${input.lines} lines`);
  const little = await generateInput(join(directory, 'little.log'), 1, seed);
  await fillTopic({ ...fill, input: little, topic: 'little' });
  const sinks = SINKS.filter(({ isInstalled }) => isInstalled?.() ?? true);
  const missing = SINKS.filter((sink) => !sinks.includes(sink)).map(({ name }) => name);
  if (missing.length > 0) say(`not installed, so not run: ${missing.join(', ')}`);
  const theirs = new Set([KAFKAJS, connectFileSink]);
  const measured: Stored[] = sinks.map((sink) => ({ name: sink.name, isOurs: !theirs.has(sink), runs: [] }));
  const bare: Bare[] = [];
  for (let run = 1; run <= runs; run += 1) {
    for (const [i, sink] of sinks.entries()) {
      show(`run ${run} of ${runs}, ${sink.name}`);
      const drain = (topic: string, { lines: records }: Input): Promise<DrainResult> =>
        drainTopic(sink, { topic, records, run: `${topic}-${run}-${i}` }, stack);
      const start = await drain('little', little);
      const serversBefore = await serverCpuSeconds(stack);
      const whole = await drain('whole', input);
      measured[i]!.runs.push({
        ...whole,
        startCpuSeconds: start.cpuSeconds,
        cpuSeconds: whole.cpuSeconds - start.cpuSeconds,
        wallSeconds: whole.wallSeconds - start.wallSeconds,
        serverCpuSeconds: (await serverCpuSeconds(stack)) - serversBefore,
        storedBytes: whole.objectBytes,
      });
      const cost = `${whole.cpuSeconds.toFixed(2)} CPU s, ${whole.wallSeconds.toFixed(2)} s`;
      say(`run ${run} of ${runs}, ${sink.name}: ${cost}; ${start.cpuSeconds.toFixed(2)} CPU s to start`);
    }
    bare.push({
      zstd: await bareCodecsPerGb(input.file, 'zstd', 1),
      gzip: await bareCodecsPerGb(input.file, 'gzip', 6),
    });
  }
  const report = {
    name: 'kafka-to-s3',
    title: 'Kafka to S3',
    method: method(input),
    input,
    measured,
    goals: goalsOf(measured, bare, input),
    notes: notesOf(measured, bare, input),
    figures: { bareCodecs: bare },
  };
  return writeReport(report, machine, out);
};

function serverCpuSeconds({ brokers, s3Pid }: LocalStack): Promise<number> {
  return cpuSecondsOf([...brokers.map(({ pid }) => pid), s3Pid]);
}

function goalsOf(measured: readonly Stored[], bare: readonly Bare[], input: Input): Goal[] {
  const find = ({ name }: { name: string }): Stored | undefined => measured.find((one) => one.name === name);
  const costOf = (sink: { name: string }): number => cpuPerGb(find(sink)!, input);
  const ours = figuresOf(find(LINES_ZSTD)!, input);
  const bareZstd = median(bare.map(({ zstd }) => zstd));
  const bareGzip = median(bare.map(({ gzip }) => gzip));
  return [
    {
      text: `CPU per byte of ${LINES_ZSTD.name} over ${KAFKAJS.name}`,
      sense: 'at most',
      value: costOf(LINES_ZSTD) / costOf(KAFKAJS),
      bound: 0.25,
    },
    {
      text: `what ${LINES_GZIP.name} needs beside the codecs, over what ${KAFKAJS.name} needs beside them`,
      sense: 'at most',
      value: (costOf(LINES_GZIP) - bareGzip) / (costOf(KAFKAJS) - bareGzip),
      bound: 0.25,
    },
    {
      text: `CPU per byte of ${LINES_PLAIN.name}, to S3, over ${connectFileSink.name}`,
      sense: 'at most',
      value: find(connectFileSink) && costOf(LINES_PLAIN) / costOf(connectFileSink),
      bound: 0.25,
    },
    {
      text: `throughput of ${LINES_ZSTD.name} over ${KAFKAJS.name}`,
      sense: 'at least',
      value: ours.mbPerSecond / figuresOf(find(KAFKAJS)!, input).mbPerSecond,
      bound: 4,
    },
    {
      text: `peak memory of ${LINES_ZSTD.name}, MB, with a budget of 512 MiB`,
      sense: 'at most',
      value: ours.peakMb,
      bound: BUDGET_MB,
    },
    {
      text: `CPU per byte of ${LINES_ZSTD.name} over the codecs alone`,
      sense: 'at most',
      value: costOf(LINES_ZSTD) / bareZstd,
      bound: 2,
    },
    {
      text: `CPU per byte of ${LINES_GZIP.name} over the codecs alone`,
      sense: 'at most',
      value: costOf(LINES_GZIP) / bareGzip,
      bound: 2,
    },
  ];
}

function method(input: Input): string {
  return [
    `A topic of ${PARTITIONS} partitions on three brokers with ${input.lines.toLocaleString('en')} access-log lines, ${(input.bytes / MB).toFixed(0)} MB in batches of the`,
    `agent (zstd), to objects of ${CHUNK_BYTES / 2 ** 20} MiB of text in the local stack's S3, each program in a process of its own, runs`,
    'interleaved. CPU is user and system time of the program alone. CPU and time are without those of a run over 5,000 lines, because a',
    'worker starts once and carries for months; servers are the brokers and the store. After every run gzip, zstd and wc, or DuckDB, found exactly as',
    'many records in the objects as the topic has. kafkajs copies the values of a batch into one buffer, compresses it on',
    "libuv's threads, and commits after each put. Kafka Connect's worker runs the connector that comes with it, which writes values to",
    'a file without any codec: what a connector for S3 does besides is not in its figures.',
  ].join('\n');
}

function notesOf(measured: readonly Stored[], bare: readonly Bare[], input: Input): string[] {
  const sizes = measured.map(({ name, runs }) => {
    const objects = median(runs.map((run) => run.objects));
    const bytes = median(runs.map((run) => run.storedBytes));
    const start = median(runs.map((run) => run.startCpuSeconds)).toFixed(2);
    return `| ${name} | ${start} | ${objects} | ${(bytes / objects / MB).toFixed(2)} | ${(input.bytes / bytes).toFixed(2)} |`;
  });
  const alone = (codec: keyof Bare): string => median(bare.map((one) => one[codec])).toFixed(2);
  return [
    `The codecs alone, decompressing zstd and compressing in memory: ${alone('zstd')} CPU s per GB with zstd 1, ${alone('gzip')} with gzip 6.`,
    '',
    '| program | CPU s to start | objects | MB each | text over stored |',
    '|---|---|---|---|---|',
    ...sizes,
  ];
}
