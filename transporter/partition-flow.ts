/**
 * One partition while this worker owns it, through rebalances and failures: carries it, and begins again from
 * the committed offset when that is not what this worker thinks it is.
 */
import { setMaxListeners } from 'node:events';
import { backoffMs } from '../shared/clock.ts';
import { isSkaldError, type SkaldError } from '../shared/errors.ts';
import type { CommittedOffset } from '../shared/kafka/requests/offsets.ts';
import { type CarryOptions, type Carrying, carryPartition } from './carry-partition.ts';
import { committedLog, type CommittedLogOptions } from './committed-log.ts';
import type { FetchTarget } from './fetch/cursor.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { Holder } from './memory-pressure.ts';

export interface PartitionFlow extends FetchTarget, Holder {
  check(): void;
  /** Every bucket of the topic that ended by this time is finished: to be committed with its offset. */
  mark(markedMs: number): void;
  /** Every bucket of the topic that ended by this time is about to be finished: to be committed with its offset. */
  close(closedMs: number): void;
  cutEarly(): void;
  /**
   * A new generation in which the partition is ours again, and what is committed in it. What was gathered
   * stays if that is what we know; otherwise somebody else owned the partition in between, and everything
   * begins anew from there.
   */
  reconcile(committed: CommittedOffset): void;
  /** The topic was deleted and made anew: forgets the one before and begins with the new one. */
  beginAnew(): void;
  /**
   * Takes nothing more, and ends when all that was taken is stored and committed. An unfinished replay is
   * left to the next owner.
   */
  drain(): Promise<void>;
  /** The partition is not ours any more: forgets everything that is not committed. */
  abandon(): void;
  status(): FlowStatus;
  /** Resolves when the flow has ended for whatever reason; rejects for a bug. */
  readonly done: Promise<void>;
}

export interface FlowStatus {
  topic: string;
  partition: number;
  state: Carrying['state'] | 'stopped';
  /** The offset to fetch next. */
  position: number | undefined;
  /** -1 before the first commit of the group. */
  committedOffset: number | undefined;
  highWatermark: number | undefined;
  /** For how long a transaction has kept everything behind it from being fetched; 0 when none does. */
  openTransactionMs: number;
  heldBytes: number;
  /** Monotonic time at which the oldest batch came that is not committed. */
  oldestMs: number | undefined;
  /** Why it has stopped. */
  problem: string | undefined;
}

export interface PartitionFlowOptions extends CarryOptions, CommittedLogOptions {
  budget: MemoryBudget;
  /** What the group has for the partition, read in the generation that gave it to us. */
  committed: CommittedOffset;
  /** Reads it again. @throws SkaldError */
  readCommitted: () => Promise<CommittedOffset>;
}

const BACKOFF = { baseMs: 200, maxMs: 10_000 };

export function startPartitionFlow(options: PartitionFlowOptions): PartitionFlow {
  const { config, partition, clock, random, logger } = options;
  const { topic } = config;
  const stop = new AbortController();
  let attempt = new AbortController();
  let carrying: Carrying | undefined;
  let known: CommittedOffset | undefined = options.committed;
  let isDraining = false;
  let problem: string | undefined;
  let heldBytes = (): number => 0;

  const run = async (): Promise<void> => {
    for (let failures = 0; !stop.signal.aborted;) {
      attempt = new AbortController();
      setMaxListeners(0, attempt.signal); // each object of a chunk that waits for the store listens
      try {
        await carryOnce(attempt.signal);
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (attempt.signal.aborted) continue;
        if (!isSkaldError(error)) throw error;
        if (!error.retryable) return giveUp(error);
        logger.warn({ topic, partition, err: error }, 'beginning again from the committed offset');
      }
      await clock.sleep(backoffMs(failures, BACKOFF, random), stop.signal);
      failures += 1;
    }
  };

  const carryOnce = async (signal: AbortSignal): Promise<void> => {
    const found = known ?? (await options.readCommitted());
    known = undefined;
    signal.throwIfAborted();
    const account = options.budget.open();
    heldBytes = () => account.usedBytes;
    try {
      const toCarry = await committedLog(found, options, signal);
      carrying = carryPartition(toCarry, account, signal, options);
      if (isDraining) carrying.drain();
      await carrying.done;
    } finally {
      carrying = undefined;
      account.close();
      options.onChange();
    }
  };

  const giveUp = (error: SkaldError): void => {
    problem = error.message;
    logger.error({ topic, partition, err: error }, 'the partition is not carried until someone acts');
  };

  const done = run();

  return {
    topic,
    partition,
    get position() {
      return carrying?.position;
    },
    get topicId() {
      return carrying?.topicId;
    },
    get lastEpoch() {
      return carrying?.lastEpoch;
    },
    get appetite() {
      return carrying?.appetite ?? 'none';
    },
    get isLeaderOnly() {
      return carrying?.isLeaderOnly ?? false;
    },
    get cuttableBytes() {
      return carrying?.cuttableBytes ?? 0;
    },
    get leavingBytes() {
      return carrying?.leavingBytes ?? 0;
    },
    get isLogEndWanted() {
      return carrying?.isLogEndWanted ?? false;
    },
    onLogEnd: (highWatermark, askedAtMs) => carrying?.onLogEnd(highWatermark, askedAtMs),
    onAnswer: (answer, leaderEpoch) => carrying?.onAnswer(answer, leaderEpoch),
    onOutOfRange: (leaderEpoch) => carrying?.onOutOfRange(leaderEpoch),
    onDiverging: (diverging, leaderEpoch) => carrying?.onDiverging(diverging, leaderEpoch),
    check: () => carrying?.check(),
    mark: (markedMs) => carrying?.mark(markedMs),
    close: (closedMs) => carrying?.close(closedMs),
    cutEarly: () => carrying?.cutEarly(),
    reconcile: (found) => {
      if (carrying?.knows(found) === true) return;
      known = found;
      attempt.abort();
    },
    beginAnew: () => attempt.abort(),
    drain: () => {
      isDraining = true;
      carrying?.drain();
      return done;
    },
    abandon: () => {
      stop.abort();
      attempt.abort();
    },
    status: () => ({
      topic,
      partition,
      state: carrying?.state ?? (problem === undefined ? 'starting' : 'stopped'),
      position: carrying?.position,
      committedOffset: carrying?.committedOffset,
      highWatermark: carrying?.highWatermark,
      openTransactionMs: carrying?.openTransactionMs ?? 0,
      heldBytes: heldBytes(),
      oldestMs: carrying?.oldestMs,
      problem,
    }),
    done,
  };
}
