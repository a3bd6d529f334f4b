import type { FileStatus, PipelineStatus } from '../../../agent/pipeline-status.ts';

/** The status of a pipeline that has done all its work. */
export function someStatus(parts: Partial<PipelineStatus> = {}): PipelineStatus {
  return {
    pipeline: 'app',
    topic: 't',
    state: 'idle',
    ready: true,
    lagBytes: 0,
    lagSeconds: 0,
    bytesPerSecond: 0,
    inFlightBatches: 0,
    openIntents: 0,
    openFiles: 0,
    files: [],
    troubled: [],
    ...parts,
  };
}

/** The status of a file that is acknowledged to its end. */
export function someFile(parts: Partial<FileStatus> = {}): FileStatus {
  return {
    path: '/logs/app.log',
    id: 'f-1',
    sizeBytes: 100,
    readBytes: 100,
    acknowledgedBytes: 100,
    lagBytes: 0,
    lagSeconds: 0,
    detached: false,
    ...parts,
  };
}
