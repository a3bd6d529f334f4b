/** What the pipelines of a process share of its file system. */
import { createDirectoryWatches } from '../../../agent/discover/directory-watches.ts';
import type { FileSystem } from '../../../agent/discover/file-system.ts';
import { createOpenFiles } from '../../../agent/tail/open-files.ts';
import type { Clock } from '../../../shared/clock.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import { repeatedLog } from '../../../shared/telemetry/repeated-log.ts';

export function sharedFiles(fs: FileSystem, clock: Clock, limits: { maxOpenFiles?: number } = {}) {
  const log = repeatedLog({ logger: silentLogger, clock, intervalMs: 60_000 });
  return {
    fs,
    onManyFiles: () => {},
    openFiles: createOpenFiles(fs, limits.maxOpenFiles ?? 100),
    watches: createDirectoryWatches({ fs, maxWatches: 100, clock, log }),
  };
}
