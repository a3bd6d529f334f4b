import type { Input, RunResult } from './run.ts';

export interface Measured {
  name: string;
  runs: RunResult[];
}

export interface Goal {
  text: string;
  /** Measured over bound, both as written in `text`. */
  ratio: number;
  bound: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const GB = 1e9;
const MB = 1e6;

export function cpuPerGb(measured: Measured, input: Input): number {
  return median(measured.runs.map((run) => run.cpuSeconds)) / (input.bytes / GB);
}

/** The report of one `npm run bench`, in Markdown: medians, and the goals as ratios of medians of interleaved runs. */
export function markdown(input: Input, measured: readonly Measured[], goals: readonly Goal[]): string {
  const rows = measured.map((one) => {
    const mbPerSecond = median(one.runs.map((run) => input.bytes / MB / run.wallSeconds));
    const memory = median(one.runs.map((run) => run.peakMemoryBytes)) / MB;
    const cpus = one.runs.map((run) => run.cpuSeconds.toFixed(2)).join(', ');
    return `| ${one.name} | ${cpuPerGb(one, input).toFixed(2)} | ${mbPerSecond.toFixed(0)} | ${memory.toFixed(0)} | ${cpus} |`;
  });
  const verdicts = goals.map((goal) => {
    const met = goal.ratio <= goal.bound ? 'met' : 'NOT met';
    return `- ${goal.text}: ${goal.ratio.toFixed(3)}, at most ${goal.bound.toFixed(3)} asked: **${met}**`;
  });
  return [
    '# File to Kafka',
    '',
    `One file of ${(input.bytes / MB).toFixed(0)} MB, ${input.lines.toLocaleString('en')} access-log lines, to a topic of six partitions on three`,
    'brokers (acks=all), each contender in a process of its own, start-up included, runs interleaved. CPU is user and system time of',
    'the contender alone. Every run ended with exactly as many records in the topic as the file has lines.',
    '',
    '| contender | CPU s per GB | MB/s | peak MB | CPU s of each run |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    ...verdicts,
    '',
  ].join('\n');
}
