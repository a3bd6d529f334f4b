import type { Clock } from '../../shared/clock.ts';
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import type { FetchedPartition } from '../../shared/kafka/requests/fetch.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';

/**
 * Watches for a transaction that stays open: with `read_committed` nothing from its first record on is fetched, which is
 * the last stable offset (KIP-98), whoever wrote it.
 */
export interface OpenTransaction {
  /** For how long the last stable offset has been seen at one place with records behind it; 0 when it is at the log's end. */
  readonly ms: number;
  look(answer: Pick<FetchedPartition, 'highWatermark' | 'lastStableOffset'>): void;
}

/** Most producers give up on a transaction after a minute (`transaction.timeout.ms`), and the broker then ends it. */
const PATIENCE_MS = 60_000;

export function watchOpenTransaction(
  { topic, partition }: TopicPartition,
  { clock, problems }: { clock: Pick<Clock, 'monotonicMs'>; problems: Pick<RepeatedLog, 'warn'> },
): OpenTransaction {
  let standsAt: number | undefined;
  let sinceMs = 0;
  let ms = 0;
  return {
    get ms() {
      return ms;
    },
    look: ({ highWatermark, lastStableOffset }) => {
      const nowMs = clock.monotonicMs();
      // With read_uncommitted brokers say -1.
      const isBehind = lastStableOffset >= 0 && lastStableOffset < highWatermark;
      if (!isBehind || lastStableOffset !== standsAt) sinceMs = nowMs;
      standsAt = isBehind ? lastStableOffset : undefined;
      ms = nowMs - sinceMs;
      if (ms < PATIENCE_MS) return;
      problems.warn(
        `open-transaction/${topic}/${partition}`,
        { topic, partition, lastStableOffset, highWatermark, openForMs: Math.round(ms) },
        'a transaction stays open, and nothing behind the last stable offset is carried until it ends; kafka-transactions.sh find-hanging names its producer',
      );
    },
  };
}
