import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_KAFKA_VERSION } from '../scripts/stack/jars.ts';
import { projectRoot } from '../scripts/stack/project-root.ts';
import { barChart } from './chart.ts';
import type { Input } from './input.ts';
import type { ProcessCost } from './process-cost.ts';

export interface RunResult extends ProcessCost {
  wallSeconds: number;
  /** User and system time of brokers, and of the store where there is one, during the run. */
  serverCpuSeconds: number;
  /** What one replica of the topic has on disk, or all objects. */
  storedBytes: number;
  /** What was found at the far end, counted independently of the program. */
  records: number;
}

export interface Measured {
  name: string;
  /** Ours, which the chart shows in another colour. */
  isOurs: boolean;
  runs: RunResult[];
}

export interface Goal {
  text: string;
  /** Undefined when something that it needs was not run. */
  value: number | undefined;
  bound: number;
  sense: 'at most' | 'at least';
}

export interface Report {
  /** Of the files. */
  name: string;
  title: string;
  /** What was done, as a paragraph. */
  method: string;
  input: Pick<Input, 'bytes' | 'lines'>;
  measured: readonly Measured[];
  goals: readonly Goal[];
  /** Further lines of Markdown, below the table. */
  notes: readonly string[];
  /** Further figures, for the JSON. */
  figures?: object;
}

export interface WrittenReport {
  markdown: string;
  isMet: boolean;
}

const GB = 1e9;
const MB = 1e6;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Medians of all runs. */
export interface Figures {
  cpuSecondsPerGb: number;
  mbPerSecond: number;
  peakMb: number;
  serverCpuSecondsPerGb: number;
  storedMb: number;
}

export function figuresOf({ runs }: Measured, { bytes }: Pick<Input, 'bytes'>): Figures {
  const medianOf = (value: (run: RunResult) => number): number => median(runs.map(value));
  return {
    cpuSecondsPerGb: medianOf((run) => run.cpuSeconds) / (bytes / GB),
    mbPerSecond: medianOf((run) => bytes / MB / run.wallSeconds),
    peakMb: medianOf((run) => run.peakMemoryBytes) / MB,
    serverCpuSecondsPerGb: medianOf((run) => run.serverCpuSeconds) / (bytes / GB),
    storedMb: medianOf((run) => run.storedBytes) / MB,
  };
}

export function cpuPerGb(measured: Measured, input: Pick<Input, 'bytes'>): number {
  return figuresOf(measured, input).cpuSecondsPerGb;
}

export function isMet({ value, bound, sense }: Goal): boolean | undefined {
  if (value === undefined) return undefined;
  return sense === 'at most' ? value <= bound : value >= bound;
}

/** Medians of each program, as lines of a Markdown table. */
export function table(input: Pick<Input, 'bytes'>, measured: readonly Measured[]): string[] {
  const rows = measured.map((one) => {
    const figures = figuresOf(one, input);
    const cells = [
      one.name,
      figures.cpuSecondsPerGb.toFixed(2),
      figures.mbPerSecond.toFixed(0),
      figures.peakMb.toFixed(0),
      figures.serverCpuSecondsPerGb.toFixed(2),
      figures.storedMb.toFixed(1),
      one.runs.map((run) => run.cpuSeconds.toFixed(2)).join(', '),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| program | CPU s per GB | MB/s | peak MB | servers: CPU s per GB | stored MB | CPU s of each run |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ];
}

/** Ratios of medians of interleaved runs, and whether they are what was asked. */
export function goalLines(goals: readonly Goal[]): string[] {
  return goals.map((goal) => {
    const { text, value, bound, sense } = goal;
    const asked = `${sense} ${Number(bound.toPrecision(3))} asked`;
    if (value === undefined) return `- ${text}: not measured here, ${asked}`;
    return `- ${text}: ${Number(value.toPrecision(3))}, ${asked}: **${isMet(goal) === true ? 'met' : 'NOT met'}**`;
  });
}

export function reportMarkdown(report: Report, machine: Machine): string {
  return [
    `# ${report.title}`,
    '',
    report.method,
    '',
    machineLine(machine),
    '',
    `![CPU seconds per GB and MB per second of each program](${report.name}.svg)`,
    '',
    ...table(report.input, report.measured),
    '',
    ...report.notes,
    ...(report.notes.length > 0 ? [''] : []),
    ...goalLines(report.goals),
    '',
  ].join('\n');
}

export function reportChart({ measured, input }: Pick<Report, 'measured' | 'input'>): string {
  const panel = (title: string, value: (figures: Figures) => number) => ({
    title,
    bars: measured.map((one) => ({
      label: one.name,
      value: value(figuresOf(one, input)),
      isOurs: one.isOurs,
    })),
  });
  return barChart([
    panel('CPU seconds per GB (less is better)', (figures) => figures.cpuSecondsPerGb),
    panel('MB per second (more is better)', (figures) => figures.mbPerSecond),
    panel('Peak memory, MB', (figures) => figures.peakMb),
  ]);
}

/** What figures depend on. */
export interface Machine {
  cpu: string;
  cores: number;
  node: string;
  kafka: string;
  /** Of the last minute, when the runs began: what is above some tenths was somebody else. */
  loadAtStart: number;
}

export function thisMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    node: process.versions.node,
    kafka: DEFAULT_KAFKA_VERSION,
    loadAtStart: Number(loadavg()[0]!.toFixed(2)),
  };
}

export function machineLine({ cpu, cores, node, kafka, loadAtStart }: Machine): string {
  return `Machine: ${cores} cores, ${cpu}; Kafka ${kafka}, Node ${node}; load average at the start ${loadAtStart}.`;
}

/** Writes `<name>.md`, `.json` and `.svg` into `folder`, or into bench/results. */
export async function writeReport(
  report: Report,
  machine: Machine,
  folder = join(projectRoot(), 'bench', 'results'),
): Promise<WrittenReport> {
  const markdown = reportMarkdown(report, machine);
  const { input, measured, goals, figures } = report;
  const { bytes, lines } = input;
  const medians = Object.fromEntries(measured.map((one) => [one.name, figuresOf(one, input)]));
  const json = { machine, bytes, lines, medians, measured, goals, ...figures };
  await writeResults(report.name, { markdown, json, chart: reportChart(report) }, folder);
  return { markdown, isMet: goals.every((goal) => isMet(goal) !== false) };
}

export async function writeResults(
  name: string,
  { markdown, json, chart }: { markdown: string; json: object; chart: string },
  folder: string,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.md`), markdown);
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(json, null, 2)}\n`);
  await writeFile(join(folder, `${name}.svg`), chart);
}
