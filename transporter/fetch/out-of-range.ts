import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { AskLogOffset } from './log-offsets.ts';

/** What to do about an offset that the leader does not have. */
export type RangeAdvice =
  /** Records were deleted before they were carried; go on behind the gap. */
  | { kind: 'skip'; to: number }
  /**
   * The log ends before the offset. What was carried of it was of another log; go on from there as if new.
   */
  | { kind: 'move'; to: number }
  | { kind: 'ask-again' };

export interface OutOfRange {
  /** @throws the signal's reason */
  advise(position: number, signal: AbortSignal): Promise<RangeAdvice>;
  /** The leader had the offset after all. */
  reset(): void;
}

/** A leader that was just elected may answer for a moment as if it had less than it has. */
const CONFIRMATIONS = 3;

/** Always goes on with the earliest record that is left, and says at ERROR exactly which offsets are lost. */
export function createOutOfRange(
  { topic, partition }: TopicPartition,
  {
    askLogOffset,
    counts,
    logger,
  }: { askLogOffset: AskLogOffset; counts: { lost(offsets: number): void }; logger: Logger },
): OutOfRange {
  let beyondEnd = 0;
  return {
    advise: async (position, signal) => {
      const earliest = await askLogOffset({ topic, partition }, 'earliest', signal);
      if (position < earliest) {
        counts.lost(earliest - position);
        logger.error(
          { topic, partition, lostFrom: position, lostTo: earliest, lostOffsets: earliest - position },
          'records are lost: Kafka deleted them before they were carried. Going on with the earliest that is left',
        );
        return { kind: 'skip', to: earliest };
      }
      beyondEnd += 1;
      if (beyondEnd < CONFIRMATIONS) return { kind: 'ask-again' };
      logger.error(
        { topic, partition, position, earliest },
        'the log ends before the committed offset: the topic was made anew or lost records. Going on with its earliest',
      );
      return { kind: 'move', to: earliest };
    },
    reset: () => {
      beyondEnd = 0;
    },
  };
}
