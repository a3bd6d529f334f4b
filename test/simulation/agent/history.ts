/** The last events of a seed, for whoever has to find out why it failed. */
import { messageOf } from '../../../shared/errors.ts';
import type { LogFields, Logger } from '../../../shared/telemetry/logger.ts';

export interface History {
  note(atMs: number, what: string): void;
  /** The last events, oldest first, one on each line. */
  readonly text: string;
}

const KEPT = 80;

export function createHistory(): History {
  const events: string[] = [];
  return {
    note: (atMs, what) => {
      if (events.length >= 2 * KEPT) events.splice(0, KEPT);
      events.push(`${(atMs / 1000).toFixed(3).padStart(9)} s  ${what}`);
    },
    get text() {
      return events.slice(-KEPT).join('\n');
    },
  };
}

/** A logger of the agent whose words become events; debug and trace are left out unless SKALD_SIM_DEBUG is set. */
export function logInto(note: (what: string) => void): Logger {
  const silent = (): void => {};
  const say =
    (level: string) =>
    (first: LogFields | string, message?: string): void => {
      if (typeof first === 'string') note(`agent ${level}: ${first}`);
      else note(`agent ${level}: ${message} ${fieldsText(first)}`);
    };
  const debug = process.env['SKALD_SIM_DEBUG'] === undefined ? silent : say('debug');
  const logger: Logger = {
    trace: silent,
    debug,
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    child: () => logger,
  };
  return logger;
}

function fieldsText(fields: LogFields): string {
  return JSON.stringify(fields, (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value instanceof Error ? messageOf(value) : value,
  );
}
