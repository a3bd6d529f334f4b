import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { type ErrorCode, isSkaldError, type SkaldError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { ObjectMetadata, ObjectStore } from './object-store.ts';

/**
 * A store that is tried for as long as the partition is ours. What is fetched waits in the memory budget
 * meanwhile, and when that is used up nothing more is fetched: an outage of any length costs nothing but delay.
 */
export interface PatientStore {
  /** @throws the signal's reason, or what trying again cannot help */
  put: ObjectStore['put'];
  /** As put: until it is known. */
  describe(key: string, signal: AbortSignal): Promise<ObjectMetadata | undefined>;
  /** As that of the store, but it never throws: it only saves money and must not hold up the records. */
  abortUnfinished(key: string): Promise<void>;
  /** Objects that the store has refused at least once and does not have yet. */
  readonly waiting: WaitingObjects;
}

export interface WaitingObjects {
  readonly count: number;
  /** Since the first refusal of the one that waits for longest; 0 when none does. */
  readonly longestMs: number;
  /** For people; undefined when nothing waits. */
  readonly problem: string | undefined;
}

export interface PatientStoreOptions {
  store: ObjectStore;
  clock: Clock;
  random: Random;
  problems: RepeatedLog;
  logger: Logger;
}

interface Waiting {
  sinceMs: number;
  error: SkaldError;
}

const BACKOFF = { baseMs: 500, maxMs: 30_000 };

/** What never passes by itself; anything else may be over before anyone has read of it. */
const NEEDS_SOMEONE: ReadonlySet<ErrorCode> = new Set(['STORE_BUCKET_MISSING', 'STORE_DENIED']);
const LASTING_MS = 60_000;

export function patientStore({ store, clock, random, problems, logger }: PatientStoreOptions): PatientStore {
  /** In the order of their first refusals. */
  const waiting = new Map<symbol, Waiting>();

  const longestMs = (): number => {
    const [first] = waiting.values();
    return first === undefined ? 0 : clock.monotonicMs() - first.sinceMs;
  };

  const say = (key: string, { error, sinceMs }: Waiting): void => {
    const waitedMs = Math.round(clock.monotonicMs() - sinceMs);
    const fields = { object: key, waitedMs, err: error };
    if (NEEDS_SOMEONE.has(error.code) || waitedMs >= LASTING_MS) {
      problems.error(`store/${error.code}/lasting`, fields, 'objects cannot be stored: they wait');
    } else {
      problems.warn(`store/${error.code}`, fields, 'an object cannot be stored yet');
    }
  };

  const untilDone = async <T>(key: string, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> => {
    const own = Symbol(key);
    try {
      for (let failures = 0; ; failures += 1) {
        signal.throwIfAborted();
        try {
          const result = await attempt();
          // A failed attempt may have begun what it could not drop.
          if (waiting.has(own)) await abortUnfinished(key);
          return result;
        } catch (error) {
          signal.throwIfAborted();
          if (!isSkaldError(error) || !error.retryable) throw error;
          const refused = { sinceMs: waiting.get(own)?.sinceMs ?? clock.monotonicMs(), error };
          waiting.set(own, refused);
          say(key, refused);
        }
        await clock.sleep(backoffMs(failures, BACKOFF, random), signal);
      }
    } finally {
      settle(own, signal);
    }
  };

  const settle = (own: symbol, signal: AbortSignal): void => {
    const waitedMs = Math.round(longestMs());
    if (!waiting.delete(own) || waiting.size > 0 || signal.aborted) return;
    logger.info({ store: store.location, waitedMs }, 'every object that waited is stored');
  };

  const abortUnfinished = async (key: string): Promise<void> => {
    try {
      await store.abortUnfinished(key);
    } catch (error) {
      if (!isSkaldError(error)) throw error;
      const fields = { object: key, err: error };
      problems.warn(`unfinished/${error.code}`, fields, 'unfinished uploads cannot be dropped');
    }
  };

  return {
    put: (key, parts, options) => untilDone(key, options.signal, () => store.put(key, parts, options)),
    describe: (key, signal) => untilDone(key, signal, () => store.describe(key, signal)),
    abortUnfinished,
    waiting: {
      get count() {
        return waiting.size;
      },
      get longestMs() {
        return longestMs();
      },
      get problem() {
        const last = [...waiting.values()].at(-1);
        if (last === undefined) return undefined;
        const seconds = Math.round(longestMs() / 1000);
        return `${waiting.size} objects wait for the store, for up to ${seconds} s: ${last.error.message}`;
      },
    },
  };
}
