/**
 * Tells systemd that a service is ready, stops, and is alive (sd_notify(3)), where it asks for that by NOTIFY_SOCKET.
 * Its messages are datagrams on a Unix socket, which Node.js does not have, so each goes out through a systemd-notify(1)
 * of its own: the unit needs NotifyAccess=all.
 */
import { execFile } from 'node:child_process';
import type { Clock } from '../shared/clock.ts';
import type { Environment } from '../shared/config/interpolate.ts';
import { messageOf } from '../shared/errors.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { repeatedLog } from '../shared/telemetry/repeated-log.ts';

export interface ServiceManagerOptions {
  env: Environment;
  pid: number;
  /** Why only a restart helps; undefined while all is well. */
  wedged(): string | undefined;
  clock: Clock;
  logger: Logger;
  /** Sends one message. Rejects when it did not get out. */
  send?: (message: string) => Promise<void>;
}

export interface ServiceManager {
  /** The service works from now on, and says now and then that it does. */
  ready(): void;
  /** The service stops; what is alive until its end is still said. */
  stopping(): void;
  close(): Promise<void>;
}

/** Of the time in which systemd waits for a sign of life: five may get lost, because a process cannot be started. */
const SIGNS_OF_LIFE = 6;
const RETRY_MS = 5_000;
const SEND_TIMEOUT_MS = 10_000;
const REPEATED_LOG_MS = 600_000;

/** Does nothing where systemd does not ask. */
export function serviceManager(options: ServiceManagerOptions): ServiceManager {
  const { env, clock, logger } = options;
  if (env['NOTIFY_SOCKET'] === undefined) {
    return { ready: () => {}, stopping: () => {}, close: () => Promise.resolve() };
  }
  const send = options.send ?? systemdNotify;
  const log = repeatedLog({ logger, clock, intervalMs: REPEATED_LOG_MS });
  const over = new AbortController();
  const work: Promise<void>[] = [];

  const trySend = async (message: string): Promise<boolean> => {
    try {
      await send(message);
      return true;
    } catch (error) {
      log.warn(
        'notify',
        { err: error },
        `cannot tell systemd ${message} by systemd-notify: ${messageOf(error)}`,
      );
      return false;
    }
  };

  const sayReady = async (): Promise<void> => {
    while (!over.signal.aborted && !(await trySend('READY=1'))) await clock.sleep(RETRY_MS, over.signal);
  };

  /** That this runs at all says that the event loop turns. Brokers or disks that are away are no reason to be silent. */
  const sayAlive = async (timeoutMs: number): Promise<void> => {
    let before: string | undefined;
    while (!over.signal.aborted) {
      const wedged = options.wedged();
      if (wedged === undefined) await trySend('WATCHDOG=1');
      // Once is what it looks like after a SIGCONT, or after a host that slept.
      else if (before !== undefined)
        log.error('wedged', {}, `${wedged}; systemd will start the service again`);
      before = wedged;
      await clock.sleep(timeoutMs / SIGNS_OF_LIFE, over.signal);
    }
  };

  return {
    ready: () => {
      work.push(sayReady());
      const timeoutMs = watchdogMs(env, options.pid);
      if (timeoutMs !== undefined) work.push(sayAlive(timeoutMs));
    },
    stopping: () => {
      work.push(trySend('STOPPING=1').then(() => {}));
    },
    close: async () => {
      over.abort();
      await Promise.all(work);
      log.flush();
    },
  };
}

/** WATCHDOG_USEC where it is meant for this process: sd_watchdog_enabled(3). */
function watchdogMs(env: Environment, pid: number): number | undefined {
  const { WATCHDOG_USEC: text, WATCHDOG_PID: forPid } = env;
  const milliseconds = Number(text) / 1000;
  const isMeant = forPid === undefined || Number(forPid) === pid;
  return isMeant && milliseconds > 0 && Number.isFinite(milliseconds) ? milliseconds : undefined;
}

function systemdNotify(message: string): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('systemd-notify', [message], { timeout: SEND_TIMEOUT_MS }, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
