import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { isSkaldError } from '../../shared/errors.ts';
import type { ClusterView } from '../../shared/kafka/cluster.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';

/**
 * What is known of brokers, racks and leaders: asked for again when it is old, and when someone finds that it
 * is wrong.
 */
export interface Topology {
  /** Undefined until a broker has answered for the first time. */
  readonly view: ClusterView | undefined;
  /** Asks again soon; any number of calls before that is one. */
  refresh(): void;
  /** Ends with the signal. */
  readonly done: Promise<void>;
}

/**
 * Between two questions: soon enough for a new leader, and rare enough for a partition that has none for an
 * hour.
 */
const BACKOFF = { baseMs: 100, maxMs: 5_000 };

export function watchTopology(options: {
  ask: () => Promise<ClusterView>;
  /** How long an answer is good for. */
  maxAgeMs: (view: ClusterView) => number;
  clock: Clock;
  random: Random;
  problems: RepeatedLog;
  signal: AbortSignal;
  onView: (view: ClusterView) => void;
}): Topology {
  const { clock, random, problems, signal } = options;
  let view: ClusterView | undefined;
  let nap = new AbortController();
  signal.addEventListener('abort', () => nap.abort(), { once: true });

  const ask = async (): Promise<ClusterView | undefined> => {
    try {
      view = await options.ask();
      options.onView(view);
      return view;
    } catch (error) {
      if (!isSkaldError(error)) throw error;
      problems.warn('metadata', { err: error }, 'no broker answers a request for metadata');
      return undefined;
    }
  };

  const run = async (): Promise<void> => {
    let hurried = 0;
    while (!signal.aborted) {
      // Before asking: a refresh that is wanted meanwhile may be about something newer.
      nap = new AbortController();
      const answered = await ask();
      if (answered !== undefined && !signal.aborted)
        await clock.sleep(options.maxAgeMs(answered), nap.signal);
      hurried = answered !== undefined && !nap.signal.aborted ? 0 : hurried + 1;
      if (hurried > 0) await clock.sleep(backoffMs(hurried - 1, BACKOFF, random), signal);
    }
  };

  return {
    get view() {
      return view;
    },
    refresh: () => nap.abort(),
    done: run(),
  };
}
