/** How far a pipeline is with its files; made when somebody asks, so that ten thousand files cost nothing otherwise. */
import type { Clock } from '../shared/clock.ts';
import type { CheckpointState } from './checkpoint/state.ts';
import type { FileProgress } from './file-progress.ts';
import type { Problem, Problems } from './problems.ts';
import type { LogFile } from './tail/log-file.ts';

export interface FileStatus {
  path: string;
  id: string;
  sizeBytes: number;
  /** Position up to which it is read. */
  readBytes: number;
  /** Position up to which everything is acknowledged. */
  acknowledgedBytes: number;
  /** Bytes without an acknowledgement, read or not. */
  lagBytes: number;
  /** How long the agent has known the oldest of them; 0 when there is none. */
  lagSeconds: number;
  /** Partition of its last acknowledged batch. */
  partition?: number | undefined;
  /** It is not found by the globs any more: renamed out of them, replaced or deleted. */
  detached: boolean;
  lastProblem?: Problem | undefined;
}

export interface PipelineStatus {
  pipeline: string;
  topic: string;
  /** `waits` for the topic's metadata or the first look at its files; `carries`, or would if brokers took it; `idle` when everything is acknowledged. */
  state: 'waits' | 'carries' | 'idle';
  /** The topic's metadata was read, and all files were looked at once: lines can flow. */
  ready: boolean;
  lagBytes: number;
  /** Of the file that has waited longest. */
  lagSeconds: number;
  /** Acknowledged bytes of files for each second, over the last ten. */
  bytesPerSecond: number;
  /** Partition of the last acknowledged batch. */
  partition?: number | undefined;
  inFlightBatches: number;
  openIntents: number;
  /** Files held open; the others are closed because nothing happens in them. */
  openFiles: number;
  lastProblem?: Problem | undefined;
  files: FileStatus[];
  /** Paths that it has trouble with and does not follow, such as files that it may not read. */
  troubled: (Problem & { path: string })[];
}

/** What a pipeline knows of itself when it is asked. */
export interface PipelineView {
  pipeline: string;
  topic: string;
  ready: boolean;
  bytesPerSecond: number;
  partition: number | undefined;
  inFlightBatches: number;
  files: Iterable<LogFile>;
  journal: Pick<CheckpointState, 'open'>;
  progress: FileProgress;
  problems: Pick<Problems, 'last' | 'of' | 'paths'>;
  clock: Pick<Clock, 'monotonicMs'>;
}

interface OpenRanges {
  startBytes: number;
  bytes: number;
}

/** What is in batches without an acknowledgement, by file. */
function openRanges({ open }: Pick<CheckpointState, 'open'>): Map<string, OpenRanges> {
  const byFile = new Map<string, OpenRanges>();
  const keyed = new Set<string>(); // batches of the same ranges, one for each partition
  for (const { ranges, keying } of open.values()) {
    for (const { file, start, end } of ranges) {
      if (keying !== undefined && keyed.has(`${file} ${start}`)) continue;
      if (keying !== undefined) keyed.add(`${file} ${start}`);
      const known = byFile.get(file) ?? { startBytes: start, bytes: 0 };
      const startBytes = Math.min(known.startBytes, start);
      byFile.set(file, { startBytes, bytes: known.bytes + end - start });
    }
  }
  return byFile;
}

function fileStatus(file: LogFile, open: OpenRanges | undefined, view: PipelineView): FileStatus {
  const { state, sizeBytes } = file;
  const { progress, problems, clock } = view;
  const acknowledgedBytes = open?.startBytes ?? state.offset;
  const unread = file.refused ? 0 : Math.max(0, sizeBytes - state.offset); // nobody will read on there
  const lagBytes = unread + (open?.bytes ?? 0);
  // Not read yet, because brokers or the limit hold the reading back: from now on it is known to wait.
  if (lagBytes > 0) progress.saw(state, sizeBytes);
  const nowMs = clock.monotonicMs();
  const sinceMs = lagBytes > 0 ? (progress.waitingSinceMs(state, acknowledgedBytes) ?? nowMs) : nowMs;
  return {
    path: state.path,
    id: state.id,
    sizeBytes,
    readBytes: file.position.offset,
    acknowledgedBytes,
    lagBytes,
    lagSeconds: Math.round((nowMs - sinceMs) / 100) / 10,
    partition: progress.partitionOf(state),
    detached: file.detached,
    lastProblem: problems.of(state.path),
  };
}

export function pipelineStatus(view: PipelineView): PipelineStatus {
  const { pipeline, topic, ready, bytesPerSecond, partition, inFlightBatches, journal, problems } = view;
  const open = openRanges(journal);
  const followedFiles = [...view.files];
  const files = followedFiles.map((file) => fileStatus(file, open.get(file.state.id), view));
  const followed = new Set(files.map(({ path }) => path));
  const ids = new Set(files.map(({ id }) => id));
  // Of files that are gone, while their last batches are on their way.
  const elsewhere = [...open].reduce((sum, [id, { bytes }]) => sum + (ids.has(id) ? 0 : bytes), 0);
  const lagBytes = files.reduce((sum, file) => sum + file.lagBytes, elsewhere);
  return {
    pipeline,
    topic,
    state: ready ? (lagBytes > 0 ? 'carries' : 'idle') : 'waits',
    ready,
    lagBytes,
    lagSeconds: files.reduce((longest, file) => Math.max(longest, file.lagSeconds), 0),
    bytesPerSecond,
    partition,
    inFlightBatches,
    openIntents: journal.open.size,
    openFiles: followedFiles.filter(({ handle }) => handle !== undefined).length,
    lastProblem: problems.last,
    files,
    troubled: problems.paths
      .filter((path) => !followed.has(path))
      .map((path) => ({ path, ...problems.of(path)! })),
  };
}
