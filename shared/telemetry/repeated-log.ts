import type { Clock } from '../clock.ts';
import type { LogFields, Logger } from './logger.ts';

export interface RepeatedLogOptions {
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Least time between two lines about the same problem. */
  readonly intervalMs: number;
  /** Problems remembered; the one that was quiet for longest is forgotten first, its count reported before. */
  readonly maxProblems?: number;
}

export interface RepeatedLog {
  /** Logs a problem the first time, then counts it, and at most every `intervalMs` logs it again as `repeated: count`. */
  readonly warn: (problem: string, fields: LogFields, message: string) => void;
  readonly error: (problem: string, fields: LogFields, message: string) => void;
  /** Reports what was counted and not yet said. Call it now and then, and before the end. */
  readonly flush: () => void;
}

interface Problem {
  readonly level: 'warn' | 'error';
  fields: LogFields;
  message: string;
  loggedAtMs: number;
  repeated: number;
}

/** Keeps a problem that comes a thousand times a second from filling a disk, without hiding how often it came. */
export function repeatedLog(options: RepeatedLogOptions): RepeatedLog {
  const { logger, clock, intervalMs, maxProblems = 1000 } = options;
  // In the order of the last occurrence, so that the first entry is the one that was quiet for longest.
  const problems = new Map<string, Problem>();

  const summarise = (problem: Problem): void => {
    if (problem.repeated === 0) return;
    logger[problem.level]({ ...problem.fields, repeated: problem.repeated }, problem.message);
    problem.repeated = 0;
    problem.loggedAtMs = clock.monotonicMs();
  };

  const forgetQuietest = (): void => {
    const [quietest] = problems;
    if (quietest === undefined) return;
    summarise(quietest[1]);
    problems.delete(quietest[0]);
  };

  const log = (level: 'warn' | 'error', key: string, fields: LogFields, message: string): void => {
    const known = problems.get(key);
    if (known === undefined) {
      if (problems.size >= maxProblems) forgetQuietest();
      problems.set(key, { level, fields, message, loggedAtMs: clock.monotonicMs(), repeated: 0 });
      logger[level](fields, message);
      return;
    }
    problems.delete(key);
    problems.set(key, known);
    known.fields = fields;
    known.message = message;
    known.repeated += 1;
    if (clock.monotonicMs() - known.loggedAtMs >= intervalMs) summarise(known);
  };

  return {
    warn: (key, fields, message) => log('warn', key, fields, message),
    error: (key, fields, message) => log('error', key, fields, message),
    flush: () => problems.forEach(summarise),
  };
}
