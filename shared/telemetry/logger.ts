import { destination, pino, type DestinationStream } from 'pino';
import { isSkaldError } from '../errors.ts';
import { humanLines } from './human-lines.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** Fields of a log line, beside time, level and message. An error goes under `err`. */
export type LogFields = Readonly<Record<string, unknown>>;

interface LogMethod {
  (fields: LogFields, message: string): void;
  (message: string): void;
}

/**
 * What code that logs asks for: a test passes its own. Messages are constant; what varies goes into fields.
 * ERROR means that data is at risk or that someone must act.
 */
export interface Logger {
  readonly trace: LogMethod;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** A logger whose lines all have these fields, such as `component` or `pipeline`. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Where lines go; standard error when absent. */
  readonly stream?: DestinationStream;
  /** Readable text instead of JSON; by default when standard error is a terminal and no stream is given. */
  readonly human?: boolean;
  /** Wall-clock milliseconds; injected by tests. */
  readonly nowMs?: () => number;
}

/** Keys that hold credentials, wherever they come up one or two levels deep. */
const SECRETS = ['password', 'secretAccessKey'].flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/**
 * Lines of JSON: `time` (RFC 3339), `level`, the fields, `msg`. Written synchronously, so that the last words before a
 * crash are not lost; log lines are rare by design.
 */
export function createLogger(options: LoggerOptions): Logger {
  const nowMs = options.nowMs ?? Date.now;
  const target = options.stream ?? destination({ dest: 2, sync: true });
  const human = options.human ?? (options.stream === undefined && process.stderr.isTTY);
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date(nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: fieldsForJson },
      serializers: { err: (error) => errorFields(error), error: (error) => errorFields(error) },
      redact: { paths: SECRETS, censor: '[redacted]' },
    },
    human ? humanLines(target) : target,
  );
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

/** Causes of causes that a log line shows; a longer chain, or one that ends in itself, says nothing new. */
const MAX_CAUSES = 4;

/** An error as fields: message, then code and place for one of ours, else name and stack; and the same of its cause. */
export function errorFields(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const cause =
    error.cause === undefined || depth === MAX_CAUSES ? {} : { cause: errorFields(error.cause, depth + 1) };
  if (isSkaldError(error)) {
    const { code, message, retryable, where } = error;
    return {
      code,
      message,
      retryable,
      ...(Object.keys(where).length > 0 ? { where: fieldsForJson(where) } : {}),
      ...cause,
    };
  }
  return { name: error.name, message: error.message, stack: error.stack, ...cause };
}

/** Offsets are bigints; JSON has no such thing, and many readers round large numbers: they become strings. */
function fieldsForJson(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, typeof value === 'bigint' ? value.toString() : value]),
  );
}
