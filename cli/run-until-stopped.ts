import type { EventEmitter } from 'node:events';
import type { Clock } from '../shared/clock.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { EXIT, type ExitCode } from './exit-code.ts';

/** A started agent or transporter. */
export interface Program {
  /** Stops gracefully; it bounds itself by `shutdownTimeoutMs`. */
  close(): Promise<void>;
  /** Resolves when it has ended, rejects when it cannot go on. */
  readonly done: Promise<void>;
}

export interface RunOptions<Running extends Program> {
  readonly start: () => Promise<Running>;
  /** What SIGHUP asks of a program that runs, instead of its end; while it starts it is remembered. */
  readonly onHangUp?: (program: Running) => void;
  readonly shutdownTimeoutMs: number;
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'sleep'>;
  /** `process`, or what a test sends signals with. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>;
}

/** Given to a stop beyond its own bound, before the process ends without it. */
const STOP_GRACE_MS = 5000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type Signal = (typeof SIGNALS)[number];

/**
 * Runs a program until a signal, its own end or a failure, and gives the exit code. The first SIGINT, SIGTERM or (without
 * `onHangUp`) SIGHUP stops it gracefully, also while it still starts; the second ends it at once. A hard end loses nothing:
 * agent and transporter have written their intents before.
 */
export async function runUntilStopped<Running extends Program>(
  options: RunOptions<Running>,
): Promise<ExitCode> {
  const { logger, clock, shutdownTimeoutMs, onHangUp } = options;
  const started = deferred<Running>();
  const first = deferred<Signal>();
  const second = deferred<Signal>();
  const closing = deferred<void>();
  const over = new AbortController();

  const hangUp = async (handle: (program: Running) => void): Promise<void> => {
    const program = await started.promise;
    if (!first.isSettled()) handle(program);
  };
  const onSignal = (signal: Signal): void => {
    if (signal === 'SIGHUP' && onHangUp !== undefined) {
      void hangUp(onHangUp);
      return;
    }
    if (first.isSettled()) second.resolve(signal);
    first.resolve(signal);
  };
  const graceful = async (): Promise<ExitCode> => {
    const program = await options.start();
    started.resolve(program);
    const end = await endOf(program, first.promise, logger);
    closing.resolve();
    await program.close();
    if (end === 'failed') return EXIT.error;
    return end === 'SIGINT' ? EXIT.interrupted : EXIT.ok;
  };
  const overdue = async (): Promise<ExitCode> => {
    await Promise.race([first.promise, closing.promise]);
    await clock.sleep(shutdownTimeoutMs + STOP_GRACE_MS, over.signal);
    if (!over.signal.aborted) {
      logger.error(
        { shutdownTimeoutMs },
        'did not stop in time; what was open is repeated at the next start',
      );
    }
    return EXIT.error;
  };
  const forced = async (): Promise<ExitCode> => {
    const signal = await second.promise;
    logger.warn(
      { signal },
      'stopped at once by a second signal; what was open is repeated at the next start',
    );
    return signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
  };

  for (const signal of SIGNALS) options.signals.on(signal, onSignal);
  try {
    return await Promise.race([graceful(), overdue(), forced()]);
  } catch (error) {
    logger.error({ err: error }, 'could not start or stop');
    return EXIT.error;
  } finally {
    over.abort();
    for (const signal of SIGNALS) options.signals.off(signal, onSignal);
  }
}

async function endOf(
  program: Program,
  stop: Promise<Signal>,
  logger: Logger,
): Promise<Signal | 'ended' | 'failed'> {
  const ended = program.done.then(
    () => 'ended' as const,
    (error: unknown) => {
      logger.error({ err: error }, 'cannot go on');
      return 'failed' as const;
    },
  );
  const end = await Promise.race([stop, ended]);
  if (end !== 'ended' && end !== 'failed') logger.info({ signal: end }, 'stopping');
  return end;
}

function deferred<T>() {
  let settle: (value: T) => void = () => undefined;
  let settled = false;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return {
    promise,
    isSettled: () => settled,
    resolve: (value: T): void => {
      settled = true;
      settle(value);
    },
  };
}
