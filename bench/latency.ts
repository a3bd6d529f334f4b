/** How long a line takes from its writing to all replicas, at a fixed rate over many files, and what that costs the agent. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build, type Histogram } from 'hdr-histogram-js';
import { z } from 'zod';
import { createTopic, topicIsReady } from '../scripts/stack/kafka-admin.ts';
import { spawnWithLifeline } from '../scripts/stack/lifeline.ts';
import { waitFor } from '../scripts/stack/wait-for.ts';
import type { Bench } from './bench.ts';
import { curveChart } from './chart.ts';
import { PARTITIONS } from './fill-topic.ts';
import { followTopic } from './follow-topic.ts';
import { APPEND_BYTES, appendIntervalMs, fileName, firstLine, markOf } from './latency-appends.ts';
import { prepareAgent } from './peers/skald.ts';
import { processCost } from './process-cost.ts';
import { type Goal, goalLines, isMet, machineLine, thisMachine, writeResults } from './report.ts';

const TOPIC = 'latency';
const LINGER_MS = 200;
const START_TIMEOUT_MS = 60_000;
const ARRIVAL_TIMEOUT_MS = 120_000;
/** The beginning of the time is not measured: compilers are at work. */
const WARM_SECONDS = 5;
const PERCENTILES = [50, 90, 99, 99.9, 100];

const startSchema = z.object({ startMs: z.number(), count: z.number() });
const endSchema = z.object({ latestMs: z.number() });

export const latency: Bench = async ({ rate, files, seconds, startStack, directory, out, say, show }) => {
  const machine = thisMachine();
  const { bootstrap } = await startStack({ s3: false });
  await createTopic(bootstrap, TOPIC, { partitions: PARTITIONS });
  await waitFor(() => topicIsReady(bootstrap, TOPIC, PARTITIONS), {
    timeoutMs: START_TIMEOUT_MS,
    what: 'its leaders',
  });
  const logs = join(directory, 'logs');
  await mkdir(logs);
  for (let i = 0; i < files; i += 1) await writeFile(join(logs, fileName(i)), firstLine(i));
  const own = join(directory, 'agent');
  await mkdir(own);
  const job = { file: join(logs, '*.log'), topic: TOPIC, bootstrap, codec: 'zstd', directory: own } as const;
  const { command, args } = await prepareAgent(job, { pipeline: {} });

  const intervalMs = appendIntervalMs(rate);
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 600_000,
    numberOfSignificantValueDigits: 3,
  });
  let startMs = Number.NaN;
  let firsts = 0;
  const arrived = new Set<number>();
  const following = await followTopic(bootstrap, TOPIC, (bytes, start, end, nowMs) => {
    const index = markOf(bytes, start, end);
    if (index === undefined) {
      if (bytes[start] === 0x66 && end - start < 60) firsts += 1;
      return;
    }
    if (arrived.has(index)) throw new Error(`append ${index} came twice`);
    arrived.add(index);
    const dueMs = startMs + index * intervalMs;
    if (dueMs >= startMs + WARM_SECONDS * 1000) histogram.recordValue(Math.max(1, Math.round(nowMs - dueMs)));
  });
  const agent = spawnWithLifeline(command, args, { stdio: ['ignore', 'ignore', 2] });
  try {
    await waitFor(() => firsts === files, {
      timeoutMs: START_TIMEOUT_MS,
      what: `the first lines of ${files} files in Kafka`,
    });
    say(`the agent follows ${files} files`);
    const program = fileURLToPath(new URL('./latency-writer.js', import.meta.url));
    const numbers = [files, rate, WARM_SECONDS + seconds].map(String);
    const writer = spawnWithLifeline(process.execPath, [program, logs, ...numbers], {
      stdio: ['ignore', 'pipe', 2],
    });
    const said: string[] = [];
    createInterface(writer.child.stdout!).on('line', (line) => said.push(line));
    await waitFor(() => said.length > 0, { timeoutMs: START_TIMEOUT_MS, what: 'the writer starts' });
    const plan = startSchema.parse(JSON.parse(said[0]!));
    startMs = plan.startMs;
    const at = (second: number) =>
      waitFor(() => Date.now() >= plan.startMs + second * 1000, {
        timeoutMs: 1000 * second + START_TIMEOUT_MS,
        what: 'time goes by',
      });
    await at(WARM_SECONDS);
    const before = await processCost(agent.child.pid!);
    await at(WARM_SECONDS + seconds);
    const after = await processCost(agent.child.pid!);
    await waitFor(() => said.length > 1, {
      timeoutMs: ARRIVAL_TIMEOUT_MS,
      what: 'the writer to have written everything',
    });
    writer.release();
    const { latestMs } = endSchema.parse(JSON.parse(said[1]!));
    await waitFor(
      () => {
        show(`${arrived.size} of ${plan.count} appends have arrived`);
        return arrived.size === plan.count;
      },
      { timeoutMs: ARRIVAL_TIMEOUT_MS, what: `${plan.count} appends in Kafka, ${arrived.size} are` },
    );
    const coreShare = (after.cpuSeconds - before.cpuSeconds) / seconds;
    const figures = { rate, files, seconds, coreShare, peakMemoryBytes: after.peakMemoryBytes, latestMs };
    return await write({ ...figures, histogram, machine, out });
  } finally {
    if (agent.child.exitCode === null && agent.child.signalCode === null) {
      const exited = once(agent.child, 'exit');
      agent.child.kill('SIGKILL');
      await exited;
    }
    agent.release();
    await following.stop();
  }
};

interface Outcome {
  rate: number;
  files: number;
  seconds: number;
  /** Of one core. */
  coreShare: number;
  peakMemoryBytes: number;
  /** How late the writer was at most. */
  latestMs: number;
  histogram: Histogram;
  machine: ReturnType<typeof thisMachine>;
  out: string;
}

async function write({ histogram, machine, out, ...outcome }: Outcome) {
  const { rate, files, seconds, coreShare, peakMemoryBytes, latestMs } = outcome;
  const percentiles = PERCENTILES.map((percentile) => ({
    percentile,
    ms: histogram.getValueAtPercentile(percentile),
  }));
  const p99 = histogram.getValueAtPercentile(99);
  const goals: Goal[] = [
    { text: 'CPU of the agent, % of one core', value: coreShare * 100, bound: 25, sense: 'at most' },
    { text: `p99 in ms; the linger is ${LINGER_MS}`, value: p99, bound: LINGER_MS + 100, sense: 'at most' },
  ];
  const markdown = [
    '# Latency at a fixed rate',
    '',
    `${files.toLocaleString('en')} files written at once, ${(rate / 1e6).toFixed(0)} MB/s in all, appends of ${APPEND_BYTES} bytes, for ${seconds} s after ${WARM_SECONDS} s for warmth; one agent with zstd and the`,
    `default linger of ${LINGER_MS} ms, a topic of ${PARTITIONS} partitions with acks=all. The time is that from when an append was due to when a consumer of all`,
    'partitions had its last line, so a writer that is held up does not make it shorter. Each append arrived exactly once.',
    '',
    machineLine(machine),
    '',
    '![Milliseconds from append to arrival by percentile](latency.svg)',
    '',
    `| ${PERCENTILES.map((percentile) => (percentile === 100 ? 'most' : `p${percentile}`)).join(' | ')} |`,
    `|${PERCENTILES.map(() => '---').join('|')}|`,
    `| ${percentiles.map(({ ms }) => `${ms} ms`).join(' | ')} |`,
    '',
    `${histogram.totalCount.toLocaleString('en')} appends. The agent took ${(coreShare * 100).toFixed(1)} % of a core and ${(peakMemoryBytes / 1e6).toFixed(0)} MB at most. The writer was ${latestMs.toFixed(0)} ms late at most.`,
    '',
    ...goalLines(goals),
    '',
  ].join('\n');
  // By how many of them are slower, as percentiles are read: 1 in 2, in 10, in 100, in 1,000.
  const points = [1, 2, 4, 10, 20, 50, 100, 200, 500, 1000].map((x) => ({
    x,
    y: histogram.getValueAtPercentile(100 - 100 / x),
  }));
  const chart = curveChart('Milliseconds from append to arrival', 'slower than this: one in …', [
    { label: 'append to arrival', points },
  ]);
  await writeResults('latency', { markdown, json: { machine, ...outcome, percentiles, goals }, chart }, out);
  return { markdown, isMet: goals.every((goal) => isMet(goal) !== false) };
}
