import type { Figures } from './figures.ts';
import {
  formatBytes,
  formatCount,
  formatPercent,
  formatRate,
  formatRatio,
  formatSeconds,
  formatTable,
} from './format.ts';
import type { FileVerdict, Verdict } from './line-check.ts';
import { CHECKSUM_MEANS } from './line-checksum.ts';
import type { StoredObject } from './stored-lines.ts';

/** What a run took, beside its figures. */
export interface RunCosts {
  figures: Figures;
  /** From the first line until the last one was in Kafka, and in S3. */
  intoKafkaMs: number;
  intoS3Ms: number;
  /** From the command to the report, set-up of the stack included. */
  totalMs: number;
  /** Undefined on systems that do not say. */
  agentCpuSeconds: number | undefined;
  workerCpuSeconds: number | undefined;
  objects: readonly StoredObject[];
  /** Text in the objects. */
  textBytes: number;
}

const MAX_ROWS = 40;
/** Below this the polling and warming up of a process would be all there is to see. */
const LEAST_BYTES_FOR_CPU = 50e6;

/** A row for each file, what is wrong with it, and the verdict. */
export function describeVerdict(verdict: Verdict): string[] {
  const { files, foreign, foreignExamples } = verdict;
  // The rows to look at come first, when there are too many for a screen.
  const rows =
    files.length <= MAX_ROWS ? files : files.toSorted((a, b) => trouble(b) - trouble(a)).slice(0, MAX_ROWS);
  const lines = formatTable([
    ['file', 'written', 'in S3', 'missing', 'doubled', 'checksum written', 'checksum in S3'],
    ...rows.map(rowOf),
    ...(files.length > 1 ? [totalOf(files)] : []),
  ]);
  if (rows.length < files.length) lines.push(`and ${files.length - rows.length} more files without trouble`);
  for (const { name, examples, remarks } of rows) {
    for (const text of [...remarks, ...examples]) lines.push(`  ${name}: ${text}`);
  }
  for (const text of foreignExamples) lines.push(`  of no file: ${text}`);
  lines.push(`(checksum: ${CHECKSUM_MEANS})`, '', verdictLine(verdict));
  if (foreign > 0) lines.push(`${formatCount(foreign)} line(s) in S3 belong to no file.`);
  return lines;
}

export function describeCosts(costs: RunCosts): string[] {
  const { figures, objects, textBytes } = costs;
  const { written } = figures;
  const sizes = objects.map(({ bytes }) => bytes).sort((a, b) => a - b);
  const stored = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const rate = (ms: number): string => `${formatRate(written.bytes / (ms / 1000))} (${formatSeconds(ms)})`;
  const rows = [
    ['lines', `${formatCount(written.lines)}, ${formatBytes(written.bytes)}`],
    ['into Kafka', rate(costs.intoKafkaMs)],
    ['into S3', `${rate(costs.intoS3Ms)}, the age at which chunks are cut included`],
    [
      'compression',
      `${formatRatio(figures.rawBytes, figures.batchBytes)} by the agents, ${formatRatio(textBytes, stored)} in the objects`,
    ],
    [
      'crossed racks',
      `${formatPercent(figures.crossRackBytes, figures.clientBytes)} of the ${formatBytes(figures.clientBytes)} that agents sent and workers fetched`,
    ],
    ['CPU per GB', cpuText(costs)],
    ['objects', objectsText(sizes, stored)],
    ['in all', `${formatSeconds(costs.totalMs)}, start of Kafka and S3 included`],
  ];
  const width = Math.max(...rows.map(([label = '']) => label.length));
  return rows.map(([label = '', text = '']) => `${label.padEnd(width)}  ${text}`);
}

function cpuText({ figures, agentCpuSeconds, workerCpuSeconds }: RunCosts): string {
  const { bytes } = figures.written;
  if (agentCpuSeconds === undefined || workerCpuSeconds === undefined) return 'not known on this system';
  if (bytes < LEAST_BYTES_FOR_CPU) return `not said for less than ${formatBytes(LEAST_BYTES_FOR_CPU)}`;
  const perGb = (seconds: number): string => `${((seconds * 1e9) / bytes).toFixed(1)} s`;
  return `agents ${perGb(agentCpuSeconds)}, transporter workers ${perGb(workerCpuSeconds)} (start-up not counted)`;
}

function objectsText(sizes: readonly number[], stored: number): string {
  if (sizes.length === 0) return 'none';
  const [smallest, median, largest] = [sizes[0]!, sizes[sizes.length >> 1]!, sizes.at(-1)!].map(formatBytes);
  return `${sizes.length}, ${formatBytes(stored)}; smallest ${smallest}, median ${median}, largest ${largest}`;
}

function verdictLine({ exactlyOnce, files, foreign }: Verdict): string {
  const lines = formatCount(sum(files, 'expected'));
  if (exactlyOnce) return `every line exactly once: ${lines} lines of ${files.length} file(s)`;
  const missing = sum(files, 'missing');
  const doubled = sum(files, 'doubled');
  const altered = files.filter(
    (file) => file.missing + file.doubled === 0 && file.expectedChecksum !== file.foundChecksum,
  ).length;
  const wrong = [
    missing > 0 && `${formatCount(missing)} missing`,
    doubled > 0 && `${formatCount(doubled)} doubled`,
    altered > 0 && `${altered} file(s) with altered lines`,
    foreign > 0 && `${formatCount(foreign)} foreign`,
  ].filter((text) => text !== false);
  return `NOT every line exactly once: of ${lines} lines, ${wrong.join(', ')}`;
}

function rowOf(file: FileVerdict): string[] {
  const { name, expected, found, missing, doubled, expectedChecksum, foundChecksum } = file;
  const counts = [expected, found, missing, doubled].map(formatCount);
  return [name, ...counts, expectedChecksum, foundChecksum === expectedChecksum ? 'the same' : foundChecksum];
}

function totalOf(files: readonly FileVerdict[]): string[] {
  const counts = (['expected', 'found', 'missing', 'doubled'] as const).map((key) =>
    formatCount(sum(files, key)),
  );
  return ['all', ...counts, '', ''];
}

function sum(files: readonly FileVerdict[], key: 'expected' | 'found' | 'missing' | 'doubled'): number {
  return files.reduce((total, file) => total + file[key], 0);
}

function trouble(file: FileVerdict): number {
  const isAltered = file.expectedChecksum !== file.foundChecksum;
  return file.missing + file.doubled + (isAltered ? 1 : 0);
}
