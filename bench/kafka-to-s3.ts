/** The transporter against a consumer of kafkajs: a topic to objects in S3. */
import { join } from 'node:path';
import { bareCodecsPerGb } from './bare-codecs.ts';
import type { Bench } from './bench.ts';
import { skald } from './contenders/skald.ts';
import { type DrainResult, drainTopic } from './drain-topic.ts';
import { fillTopic } from './fill-topic.ts';
import { generateInput, type Input } from './input.ts';
import { cpuPerGb, type Goal, goalLines, type Measured, median, table, writeReport } from './report.ts';
import { kafkajsSink } from './sinks/kafkajs.ts';
import { skaldSink } from './sinks/skald.ts';

const MB = 1e6;
/** Text of an object, the same for all. */
const CHUNK_BYTES = 16 * 1024 * 1024;
const CHUNK = { maxBytes: CHUNK_BYTES };
const LINES_ZSTD = skaldSink('skald lines, zstd 3', { codec: 'zstd' }, CHUNK);
const LINES_ZSTD_1 = skaldSink('skald lines, zstd 1', { codec: 'zstd', level: 1 }, CHUNK);
const LINES_GZIP = skaldSink('skald lines, gzip 6', { codec: 'gzip' }, CHUNK);
const KAFKAJS = kafkajsSink({ level: 6, chunkBytes: CHUNK_BYTES });
const SINKS = [
  LINES_ZSTD,
  LINES_ZSTD_1,
  LINES_GZIP,
  skaldSink('skald lines, gzip 1', { codec: 'gzip', level: 1 }, CHUNK),
  skaldSink('skald jsonl, zstd 3', { format: 'jsonl', codec: 'zstd' }, CHUNK),
  skaldSink('skald parquet, zstd 3', { format: 'parquet', codec: 'zstd' }, CHUNK),
  KAFKAJS,
];

interface StoredRun extends DrainResult {
  /** What a run over a few thousand lines costs; `cpuSeconds` is without it. */
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

export const kafkaToS3: Bench = {
  needsS3: true,
  run: async ({ bytes, runs, seed, stack, directory, say }) => {
    const input = await generateInput(join(directory, 'access.log'), bytes, seed);
    const filler = skald({ codec: 'zstd', partitioner: { type: 'round-robin' } });
    await fillTopic(filler, input, 'whole', stack.bootstrap);
    say(`the topic holds ${(input.bytes / MB).toFixed(0)} MB, ${input.lines} lines`);
    const little = await generateInput(join(directory, 'little.log'), 1, seed);
    await fillTopic(filler, little, 'little', stack.bootstrap);
    const measured: Stored[] = SINKS.map(({ name }) => ({ name, runs: [] }));
    const bare: Bare[] = [];
    for (let run = 0; run < runs; run += 1) {
      for (const [i, sink] of SINKS.entries()) {
        const drain = (topic: string, { lines: records }: Input): Promise<DrainResult> =>
          drainTopic(sink, { topic, records, run: `${topic}-${run}-${i}` }, stack);
        const { cpuSeconds: startCpuSeconds } = await drain('little', little);
        const whole = await drain('whole', input);
        measured[i]!.runs.push({ ...whole, startCpuSeconds, cpuSeconds: whole.cpuSeconds - startCpuSeconds });
        const cost = `${whole.cpuSeconds.toFixed(2)} CPU s, ${whole.wallSeconds.toFixed(2)} s`;
        say(`run ${run + 1}, ${sink.name}: ${cost}; ${startCpuSeconds.toFixed(2)} CPU s to start`);
      }
      bare.push({
        zstd: await bareCodecsPerGb(input.file, 'zstd', 3),
        gzip: await bareCodecsPerGb(input.file, 'gzip', 6),
      });
    }
    const goals = goalsOf(measured, bare, input);
    return writeReport('kafka-to-s3', input, measured, goals, () => markdown(input, measured, bare, goals));
  },
};

function goalsOf(measured: readonly Stored[], bare: readonly Bare[], input: Input): Goal[] {
  const costOf = ({ name }: { name: string }): number =>
    cpuPerGb(
      measured.find((one) => one.name === name)!,
      input,
    );
  const bareZstd = median(bare.map(({ zstd }) => zstd));
  const bareGzip = median(bare.map(({ gzip }) => gzip));
  return [
    {
      text: `CPU per byte of ${LINES_ZSTD.name} over ${KAFKAJS.name}`,
      ratio: costOf(LINES_ZSTD) / costOf(KAFKAJS),
      bound: 0.25,
    },
    {
      text: `CPU per byte of ${LINES_ZSTD_1.name} over ${KAFKAJS.name}`,
      ratio: costOf(LINES_ZSTD_1) / costOf(KAFKAJS),
      bound: 0.25,
    },
    {
      text: `what ${LINES_GZIP.name} needs beside the codecs, over what ${KAFKAJS.name} needs beside them`,
      ratio: (costOf(LINES_GZIP) - bareGzip) / (costOf(KAFKAJS) - bareGzip),
      bound: 0.25,
    },
    {
      text: `CPU per byte of ${LINES_ZSTD.name} over the codecs alone`,
      ratio: costOf(LINES_ZSTD) / bareZstd,
      bound: 2,
    },
    {
      text: `CPU per byte of ${LINES_GZIP.name} over the codecs alone`,
      ratio: costOf(LINES_GZIP) / bareGzip,
      bound: 2,
    },
  ];
}

function markdown(
  input: Input,
  measured: readonly Stored[],
  bare: readonly Bare[],
  goals: readonly Goal[],
): string {
  const sizes = measured.map(({ name, runs }) => {
    const objects = median(runs.map((run) => run.objects));
    const bytes = median(runs.map((run) => run.objectBytes));
    const start = median(runs.map((run) => run.startCpuSeconds)).toFixed(2);
    return `| ${name} | ${start} | ${objects} | ${(bytes / objects / MB).toFixed(2)} | ${(input.bytes / bytes).toFixed(2)} |`;
  });
  const alone = (codec: keyof Bare): string => median(bare.map((one) => one[codec])).toFixed(2);
  return [
    '# Kafka to S3',
    '',
    `A topic of six partitions on three brokers with ${input.lines.toLocaleString('en')} access-log lines, ${(input.bytes / MB).toFixed(0)} MB in batches of the`,
    `agent (zstd), to objects of ${CHUNK_BYTES / 2 ** 20} MiB of text in the local stack's S3, each contender in a process of its own, runs`,
    'interleaved. CPU is user and system time of the contender alone, less that of a run over 5,000 lines, because a worker starts once',
    'and carries for months. After every run gzip, zstd and wc, or DuckDB, found exactly as many records in the objects as the topic',
    'has. kafkajs copies the values of a batch into one buffer, compresses it on',
    "libuv's threads, and commits after each put.",
    '',
    ...table(input, measured),
    '',
    `The codecs alone, decompressing zstd and compressing in memory: ${alone('zstd')} CPU s per GB with zstd 3, ${alone('gzip')} with gzip 6.`,
    '',
    '| contender | CPU s to start | objects | MB each | text over stored |',
    '|---|---|---|---|---|',
    ...sizes,
    '',
    ...goalLines(goals),
    '',
  ].join('\n');
}
