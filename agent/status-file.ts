/** The agent's state as a file, for whoever looks at a host where nothing listens, or where the agent has stopped. */
import { rename, rm, writeFile } from 'node:fs/promises';
import type { Clock } from '../shared/clock.ts';
import { messageOf } from '../shared/errors.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { repeatedLog } from '../shared/telemetry/repeated-log.ts';

export const STATUS_FILE = 'status.json';

const INTERVAL_MS = 5_000;
/** Making and writing it takes at most a hundredth of the time, however many files there are. */
const PAUSE_FACTOR = 100;
const REPEATED_LOG_MS = 600_000;

export interface StatusFileOptions {
  path: string;
  /** Another one when there is something new to write. */
  revision(): string;
  /** `moves` while ages in it grow with time alone. */
  report(): { moves: boolean; status: object };
  clock: Clock;
  logger: Logger;
}

/**
 * Writes `{version, writtenAt, pid, running, ...status}` every five seconds in which something has changed, and at the end.
 * Always a whole file: the new one is written beside it and renamed. It is for people, so it is not forced to disk, and
 * when it cannot be written that is said and everything goes on.
 */
export function startStatusFile(options: StatusFileOptions): { close(): Promise<void> } {
  const { path, clock, logger } = options;
  const log = repeatedLog({ logger, clock, intervalMs: REPEATED_LOG_MS });
  const over = new AbortController();
  let written: string | undefined;
  let moves = false;

  const write = async (running: boolean): Promise<void> => {
    const revision = options.revision();
    const report = options.report();
    const writtenAt = new Date(clock.nowMs()).toISOString();
    const content = { version: 1, writtenAt, pid: process.pid, running, ...report.status };
    const temporary = `${path}.new`;
    try {
      await writeFile(temporary, `${JSON.stringify(content)}\n`, { mode: 0o640 });
      await rename(temporary, path);
      written = revision;
      ({ moves } = report);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {}); // part of a file, on a disk that is full or broken
      const message = `the status file cannot be written: ${messageOf(error)}; what it says is old, and delivery goes on`;
      log.warn('status file', { path, err: error }, message);
    }
  };

  const run = async (): Promise<void> => {
    let pauseMs = 0;
    while (!over.signal.aborted) {
      await clock.sleep(pauseMs, over.signal);
      if (over.signal.aborted) return;
      const beganMs = clock.monotonicMs();
      if (moves || options.revision() !== written) await write(true);
      pauseMs = Math.max(INTERVAL_MS, PAUSE_FACTOR * (clock.monotonicMs() - beganMs));
    }
  };
  const done = run();

  let closing: Promise<void> | undefined;
  return {
    close: () =>
      (closing ??= (async () => {
        over.abort();
        await done;
        await write(false);
        log.flush();
      })()),
  };
}
