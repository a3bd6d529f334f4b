import { backoffMs, type Clock, type Random, systemClock } from '../clock.ts';
import { isSkaldError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { deepFreeze } from './deep-freeze.ts';
import { type Ec2Placement, readPlacement } from './ec2-placement.ts';

const ATTEMPTS = 4;
/** For a token and the item; the service stands in the same machine and answers within milliseconds. */
const ATTEMPT_MS = 1_000;
const BACKOFF = { baseMs: 500, maxMs: 2_000 };
/** After a start without an answer: a service that is away for an hour is asked some twenty times. */
const LATER_BACKOFF = { baseMs: 5_000, maxMs: 600_000 };

/**
 * The configuration with the rack that EC2 instance metadata tells, where the file has `rackFrom`; any other as it is.
 * Asks four times within eight seconds. A machine that cannot be told its rack carries lines all the same: then it is a
 * warning, and the configuration stays without rack.
 */
export async function withRack<
  Config extends { readonly rack?: string | undefined; readonly rackFrom?: Ec2Placement | undefined },
>(
  config: Config,
  world: { logger: Logger; clock?: Pick<Clock, 'sleep'>; random?: Random; attemptMs?: number },
): Promise<Config> {
  const { rackFrom } = config;
  if (rackFrom === undefined) return config;
  const { logger, clock = systemClock, random = Math.random, attemptMs = ATTEMPT_MS } = world;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const rack = await readPlacement(rackFrom, AbortSignal.timeout(attemptMs));
      logger.info({ rack, from: rackFrom.item }, 'EC2 instance metadata told the rack of this machine');
      return deepFreeze({ ...config, rack });
    } catch (error) {
      if (!isSkaldError(error, 'RACK_UNKNOWN')) throw error;
      if (!error.retryable || attempt === ATTEMPTS) {
        logger.warn(
          { err: error, attempts: attempt },
          'EC2 instance metadata does not tell the rack of this machine; starting as if racks did not matter. ' +
            '`rack` or SKALD_RACK do without it',
        );
        return config;
      }
      await clock.sleep(backoffMs(attempt - 1, BACKOFF, random));
    }
  }
}

/**
 * Asks on after a start without an answer, ever more rarely, until there is one. Undefined when `signal` aborts, or when the
 * answer says that there will never be one.
 */
export async function rackInTime(
  rackFrom: Ec2Placement,
  world: {
    logger: Logger;
    clock: Pick<Clock, 'sleep'>;
    random: Random;
    signal: AbortSignal;
    attemptMs?: number;
  },
): Promise<string | undefined> {
  const { logger, clock, random, signal, attemptMs = ATTEMPT_MS } = world;
  for (let attempt = 0; ; attempt += 1) {
    await clock.sleep(backoffMs(attempt, LATER_BACKOFF, random), signal);
    if (signal.aborted) return undefined;
    try {
      const rack = await readPlacement(rackFrom, AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]));
      logger.info(
        { rack, from: rackFrom.item },
        'EC2 instance metadata told the rack of this machine in the end',
      );
      return rack;
    } catch (error) {
      if (!isSkaldError(error, 'RACK_UNKNOWN')) throw error;
      if (!error.retryable) return undefined; // said at the start
    }
  }
}
