import type { Clock } from '../clock.ts';
import type { LogFields, Logger } from './logger.ts';

export interface RepeatedLogOptions {
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Least time between two lines about the same problem. It doubles with each, up to 64 times, while the problem lasts. */
  readonly intervalMs: number;
  /** Problems that are named one by one; what comes beside them is counted together. */
  readonly maxProblems?: number;
}

export interface RepeatedLog {
  /** Logs a problem the first time, then counts it, and now and then logs it again as `repeated: count`. */
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
  lastAtMs: number;
  /** Until it is said again. */
  pauseMs: number;
  repeated: number;
}

/** A problem of a minute's interval that lasts for days is said about once an hour. */
const MAX_PAUSE = 64;

/**
 * Keeps a problem that comes a thousand times a second, or that ten thousand files have at once, from filling a disk,
 * without hiding how often it came.
 */
export function repeatedLog(options: RepeatedLogOptions): RepeatedLog {
  const { logger, clock, intervalMs, maxProblems = 200 } = options;
  // In the order of the last occurrence, so that the first entry is the one that was quiet for longest.
  const problems = new Map<string, Problem>();
  /** Those for which there was no room, by level. */
  const others = new Map<string, Problem>();

  const say = (problem: Problem): void => {
    const { level, fields, message, repeated } = problem;
    logger[level](repeated === 0 ? fields : { ...fields, repeated }, message);
    problem.repeated = 0;
    problem.loggedAtMs = clock.monotonicMs();
  };

  const summarise = (problem: Problem): void => {
    if (problem.repeated > 0) say(problem);
  };

  const begin = (level: 'warn' | 'error', fields: LogFields, message: string): Problem => {
    const nowMs = clock.monotonicMs();
    const times = { loggedAtMs: nowMs, lastAtMs: nowMs, pauseMs: intervalMs };
    const problem = { level, fields, message, ...times, repeated: 0 };
    say(problem);
    return problem;
  };

  const goOn = (problem: Problem, fields: LogFields, message: string): void => {
    const nowMs = clock.monotonicMs();
    // One that was over for a while and has come back is news again.
    if (nowMs - problem.lastAtMs > problem.pauseMs) problem.pauseMs = intervalMs;
    Object.assign(problem, { fields, message, lastAtMs: nowMs });
    problem.repeated += 1;
    if (nowMs - problem.loggedAtMs < problem.pauseMs) return;
    say(problem);
    problem.pauseMs = Math.min(problem.pauseMs * 2, intervalMs * MAX_PAUSE);
  };

  /** Whether there is room for one more: problems that have been quiet for long are forgotten, lasting ones are not. */
  const hasRoom = (): boolean => {
    if (problems.size < maxProblems) return true;
    const [quietest] = problems;
    if (quietest === undefined) return false;
    const [key, problem] = quietest;
    if (clock.monotonicMs() - problem.lastAtMs <= intervalMs) return false;
    summarise(problem);
    problems.delete(key);
    return true;
  };

  const log = (level: 'warn' | 'error', key: string, fields: LogFields, message: string): void => {
    const known = problems.get(key);
    if (known !== undefined) {
      problems.delete(key);
      problems.set(key, known);
      goOn(known, fields, message);
    } else if (hasRoom()) {
      problems.set(key, begin(level, fields, message));
    } else {
      const text = `too many problems to name each; one of the others: ${message}`;
      const other = others.get(level);
      if (other === undefined) others.set(level, begin(level, fields, text));
      else goOn(other, fields, text);
    }
  };

  return {
    warn: (key, fields, message) => log('warn', key, fields, message),
    error: (key, fields, message) => log('error', key, fields, message),
    flush: () => {
      problems.forEach(summarise);
      others.forEach(summarise);
    },
  };
}
