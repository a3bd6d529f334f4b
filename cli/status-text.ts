/** The state of an agent as lines for a terminal: what is furthest behind comes first. */
import { z } from 'zod';
import { printable } from '../shared/telemetry/human-lines.ts';

const problem = z.object({ message: z.string(), at: z.string() });

const fileSchema = z.object({
  path: z.string(),
  sizeBytes: z.number(),
  acknowledgedBytes: z.number(),
  lagBytes: z.number(),
  lagSeconds: z.number(),
  partition: z.number().optional(),
  detached: z.boolean(),
  lastProblem: problem.optional(),
});

/** What this command shows of an agent's `/status` and of its status file; the rest is for other readers. */
export const statusSchema = z.object({
  writtenAt: z.string().optional(),
  running: z.boolean().optional(),
  host: z.string(),
  rack: z.string().optional(),
  memoryBytes: z.number(),
  memoryLimitBytes: z.number(),
  pipelines: z.array(
    z.object({
      pipeline: z.string(),
      topic: z.string(),
      state: z.enum(['waits', 'carries', 'idle']),
      lagBytes: z.number(),
      lagSeconds: z.number(),
      bytesPerSecond: z.number(),
      partition: z.number().optional(),
      inFlightBatches: z.number(),
      lastProblem: problem.optional(),
      files: z.array(fileSchema),
      troubled: z.array(problem.extend({ path: z.string() })),
    }),
  ),
  failed: z.array(z.object({ pipeline: z.string(), reason: z.string() })),
});

export type Status = z.output<typeof statusSchema>;
type Pipeline = Status['pipelines'][number];

/** Files and troubled paths that a pipeline shows without `--all`. */
const SHOWN = 20;

const STATES = {
  waits: 'waits for the topic',
  carries: 'carries',
  idle: 'everything is acknowledged',
} as const;

export function statusLines(status: Status, options: { nowMs: number; all: boolean }): string[] {
  const { host, rack = 'unknown', memoryBytes, memoryLimitBytes, pipelines, failed } = status;
  return [
    `host ${host}, rack ${rack}, ${size(memoryBytes)} of ${size(memoryLimitBytes)} held`,
    ...pipelines.flatMap((pipeline) => ['', ...pipelineLines(pipeline, options)]),
    ...failed.flatMap(({ pipeline, reason }) => ['', `pipeline ${pipeline} has failed: ${reason}`]),
  ].map(printable);
}

function pipelineLines(pipeline: Pipeline, { nowMs, all }: Parameters<typeof statusLines>[1]): string[] {
  const { files, troubled, lastProblem } = pipeline;
  const worst = files.toSorted(
    (a, b) => b.lagSeconds - a.lagSeconds || b.lagBytes - a.lagBytes || a.path.localeCompare(b.path),
  );
  const shown = all ? worst : worst.slice(0, SHOWN);
  const more = worst.slice(shown.length);
  const done = more.filter(({ lagBytes }) => lagBytes === 0).length;
  const shownTrouble = all ? troubled : troubled.slice(-SHOWN);
  const lessTrouble = troubled.length - shownTrouble.length;
  return [
    headOf(pipeline),
    ...(lastProblem === undefined ? [] : [`  last problem ${said(lastProblem, nowMs)}`]),
    ...table([
      ['behind', 'for', 'acknowledged', 'of', 'partition', 'file'],
      ...shown.map((file) => [
        size(file.lagBytes),
        file.lagBytes === 0 ? '-' : duration(file.lagSeconds),
        String(file.acknowledgedBytes),
        String(file.sizeBytes),
        String(file.partition ?? '-'),
        `${file.path}${file.detached ? ' (rotated away)' : ''}${
          file.lastProblem === undefined ? '' : ` (${said(file.lastProblem, nowMs)})`
        }`,
      ]),
    ]),
    ...(more.length === 0
      ? []
      : [`  and ${more.length} more files, ${done} of them acknowledged to their end; --all shows them`]),
    ...shownTrouble.map((one) => `  not followed: ${one.path}, ${said(one, nowMs)}`),
    ...(lessTrouble === 0 ? [] : [`  and ${lessTrouble} more that are not followed; --all shows them`]),
  ];
}

function headOf(pipeline: Pipeline): string {
  const { topic, state, lagBytes, lagSeconds, bytesPerSecond, partition, inFlightBatches } = pipeline;
  const facts = [
    STATES[state],
    ...(lagBytes > 0 ? [`${size(lagBytes)} behind for ${duration(lagSeconds)}`] : []),
    ...(bytesPerSecond > 0 ? [`${size(bytesPerSecond)}/s`] : []),
    ...(partition === undefined ? [] : [`partition ${partition}`]),
    ...(inFlightBatches > 0 ? [`${inFlightBatches} batches in flight`] : []),
  ];
  return `pipeline ${pipeline.pipeline} to topic ${topic}: ${facts.join(', ')}`;
}

function said({ message, at }: z.output<typeof problem>, nowMs: number): string {
  return `${ago(at, nowMs)}: ${message}`;
}

export function ago(iso: string, nowMs: number): string {
  return `${duration(Math.max(0, nowMs - Date.parse(iso)) / 1000)} ago`;
}

/** Columns as wide as they must be; the last one, the path, as it is. Nothing for a table without rows. */
export function table(rows: string[][]): string[] {
  if (rows.length <= 1) return [];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => {
    const cells = row.map((cell, i) => (i === row.length - 1 ? cell : cell.padStart(widths[i]!)));
    return `  ${cells.join('  ')}`;
  });
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

function size(bytes: number): string {
  const power = Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[power]}`;
}

export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  return seconds < 2 * 86_400 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}
