/** How many files the process may have open, which Node.js raises to the hard limit at its start, but does not tell. */
import { readFileSync } from 'node:fs';
import type { Logger } from '../shared/telemetry/logger.ts';

/** For journals, connections, libraries and worker threads: without these, nothing goes on; without a log file, one waits. */
const RESERVED = 512;

/** "Max open files  1024  4096  files", the soft limit first: proc(5). Undefined where that says nothing, or no number. */
export function parseDescriptorLimit(limits: string): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}

/** Log files that may be open at once: `maxOpenFiles`, or as many as the process can have beside what it must have. */
export function fittingOpenFiles(maxOpenFiles: number, limit: number | undefined): number {
  if (limit === undefined) return maxOpenFiles;
  return Math.min(maxOpenFiles, Math.max(limit - RESERVED, Math.floor(limit / 4), 16));
}

/** `fittingOpenFiles` for this process; says so when it is less than what is wanted. */
export function openFilesOfProcess(maxOpenFiles: number, logger: Logger, read = readLimits): number {
  const limit = parseDescriptorLimit(read());
  const fitting = fittingOpenFiles(maxOpenFiles, limit);
  if (fitting < maxOpenFiles) {
    logger.warn(
      { maxOpenFiles, processLimit: limit, used: fitting },
      `the process may open ${limit} files, too few for limits.maxOpenFiles: ${maxOpenFiles}; holding at most ${fitting} log ` +
        `files open. Raise LimitNOFILE of the service (ulimit -n) to ${maxOpenFiles + RESERVED}, or lower limits.maxOpenFiles`,
    );
  }
  return fitting;
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return ''; // not on Linux
  }
}
