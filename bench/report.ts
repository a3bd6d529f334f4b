import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../scripts/stack/project-root.ts';
import type { Input } from './input.ts';
import type { ProcessCost } from './process-cost.ts';

export interface RunResult extends ProcessCost {
  wallSeconds: number;
  /** What was found at the far end, counted independently of the contender. */
  records: number;
}

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

const GB = 1e9;
const MB = 1e6;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function cpuPerGb(measured: Measured, input: Input): number {
  return median(measured.runs.map((run) => run.cpuSeconds)) / (input.bytes / GB);
}

/** Medians of each contender, as lines of a Markdown table. */
export function table(input: Input, measured: readonly Measured[]): string[] {
  const rows = measured.map((one) => {
    const mbPerSecond = median(one.runs.map((run) => input.bytes / MB / run.wallSeconds));
    const memory = median(one.runs.map((run) => run.peakMemoryBytes)) / MB;
    const cpus = one.runs.map((run) => run.cpuSeconds.toFixed(2)).join(', ');
    return `| ${one.name} | ${cpuPerGb(one, input).toFixed(2)} | ${mbPerSecond.toFixed(0)} | ${memory.toFixed(0)} | ${cpus} |`;
  });
  return [
    '| contender | CPU s per GB | MB/s | peak MB | CPU s of each run |',
    '|---|---|---|---|---|',
    ...rows,
  ];
}

/** Ratios of medians of interleaved runs, and whether they are what was asked. */
export function goalLines(goals: readonly Goal[]): string[] {
  return goals.map((goal) => {
    const met = goal.ratio <= goal.bound ? 'met' : 'NOT met';
    return `- ${goal.text}: ${goal.ratio.toFixed(3)}, at most ${goal.bound.toFixed(3)} asked: **${met}**`;
  });
}

/** Writes `bench/results/<name>.md` and `.json`. */
export async function writeReport(
  name: string,
  input: Input,
  measured: readonly Measured[],
  goals: readonly Goal[],
  markdown: (input: Input, measured: readonly Measured[], goals: readonly Goal[]) => string,
): Promise<{ markdown: string; isMet: boolean }> {
  const results = join(projectRoot(), 'bench', 'results');
  await mkdir(results, { recursive: true });
  const text = markdown(input, measured, goals);
  await writeFile(join(results, `${name}.md`), text);
  const json = { bytes: input.bytes, lines: input.lines, measured, goals };
  await writeFile(join(results, `${name}.json`), `${JSON.stringify(json, null, 2)}\n`);
  return { markdown: text, isMet: goals.every((goal) => goal.ratio <= goal.bound) };
}
