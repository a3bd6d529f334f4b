/** The last problems of a pipeline, for whoever asks what is wrong with it or with one of its files. */
import type { Clock } from '../shared/clock.ts';
import { messageOf } from '../shared/errors.ts';
import type { LogFields } from '../shared/telemetry/logger.ts';
import type { RepeatedLog } from '../shared/telemetry/repeated-log.ts';

export interface Problem {
  /** What the log said. */
  message: string;
  /** When it happened last, ISO 8601. */
  at: string;
}

export interface Problems {
  /** Writes to the log that was given, and remembers. */
  readonly log: RepeatedLog;
  /** Grows with every problem. */
  readonly count: number;
  readonly last: Problem | undefined;
  /** The last problem with this file. */
  of(path: string): Problem | undefined;
  /** Files with problems, the last one to have one at the end. */
  readonly paths: readonly string[];
}

/** Files remembered; the one whose problem is oldest is forgotten first. */
const MAX_PATHS = 1_000;

export function recordProblems(log: RepeatedLog, clock: Pick<Clock, 'nowMs'>): Problems {
  const byPath = new Map<string, Problem>();
  let count = 0;
  let last: Problem | undefined;

  const record = (fields: LogFields, message: string): void => {
    count += 1;
    const { err, path } = fields;
    const cause = err === undefined || message.includes(messageOf(err)) ? '' : ` (${messageOf(err)})`;
    last = { message: `${message}${cause}`, at: new Date(clock.nowMs()).toISOString() };
    if (typeof path !== 'string') return;
    byPath.delete(path);
    byPath.set(path, last);
    const [oldest] = byPath.keys();
    if (byPath.size > MAX_PATHS && oldest !== undefined) byPath.delete(oldest);
  };

  return {
    log: {
      warn: (problem, fields, message) => {
        record(fields, message);
        log.warn(problem, fields, message);
      },
      error: (problem, fields, message) => {
        record(fields, message);
        log.error(problem, fields, message);
      },
      flush: () => log.flush(),
    },
    get count() {
      return count;
    },
    get last() {
      return last;
    },
    of: (path) => byPath.get(path),
    get paths() {
      return [...byPath.keys()];
    },
  };
}
