/**
 * Whether Kafka still has the log that a partition is carried from. Records are deleted before they were carried, or a
 * leader has lost some that were (an unclean leader election): says what is lost, and where to go on.
 */
import type { TopicPartition } from '../shared/kafka/consumer-protocol.ts';
import type { DivergingEpoch } from '../shared/kafka/requests/fetch.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import type { Gatherer } from './chunk/gatherer.ts';
import { cutOffLog } from './committed-log.ts';
import type { LeaderEpochs } from './fetch/leader-epochs.ts';
import type { AskLogOffset } from './fetch/log-offsets.ts';
import { createOutOfRange } from './fetch/out-of-range.ts';
import type { PartitionOffset } from './partition-offset.ts';

export interface LogParting {
  /** The log is another one than what was gathered is of: it is time to store that, and to `move`. */
  readonly isDue: boolean;
  /** What is left of the log is being asked for. */
  readonly isAsking: boolean;
  /** The leader of this epoch does not have the gatherer's position; `end` is that of a promised chunk. Never rejects for the signal. */
  onOutOfRange(gatherer: Gatherer, leaderEpoch: number, end: number | undefined): Promise<void>;
  /** The log of the leader of this epoch is not the one that was read up to `position`. */
  onDiverging(diverging: DivergingEpoch, leaderEpoch: number, position: number): void;
  /** The leader had the position after all. */
  reset(): void;
  /** Ends a promised chunk with what is there: nobody can make the rest again, because other records have its offsets. */
  leaveRest(replayed: Gatherer, end: number): Promise<void>;
  /** All below `carriedTo` was carried. Commits where to go on, and returns it. */
  move(carriedTo: number): Promise<number>;
}

/** Kafka has another log than the one that was read; what both have in common ends at `offset`. */
interface Parting {
  offset: number;
  log: string;
  /** Of the last leader that wrote both. Where it is not known what they have in common, all of the log is carried. */
  epoch: number | undefined;
}

export function createLogParting(
  { topic, partition }: TopicPartition,
  options: {
    topicId: string | undefined;
    epochs: Pick<LeaderEpochs, 'partingOffset'>;
    offsets: Pick<PartitionOffset, 'moveTo'>;
    askLogOffset: AskLogOffset;
    counts: { lost(offsets: number): void };
    logger: Logger;
    signal: AbortSignal;
  },
): LogParting {
  const { topicId, epochs, offsets, counts, logger, signal } = options;
  const outOfRange = createOutOfRange({ topic, partition }, options);
  let parting: Parting | undefined;
  let isAsking = false;

  return {
    get isDue() {
      return parting !== undefined;
    },
    get isAsking() {
      return isAsking;
    },
    onOutOfRange: async (gatherer, leaderEpoch, end = Infinity) => {
      isAsking = true;
      try {
        const advice = await outOfRange.advise(gatherer.position, signal);
        if (advice.kind === 'skip') gatherer.skipTo(Math.min(advice.to, end));
        if (advice.kind === 'move')
          parting = { offset: advice.to, log: cutOffLog(topicId, leaderEpoch), epoch: undefined };
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        isAsking = false;
      }
    },
    onDiverging: (diverging, leaderEpoch, position) => {
      const offset = epochs.partingOffset(diverging, position);
      parting = { offset, log: cutOffLog(topicId, leaderEpoch), epoch: diverging.epoch };
    },
    reset: () => outOfRange.reset(),
    leaveRest: async (replayed, end) => {
      await replayed.flush();
      const lostFrom = replayed.decodedTo;
      if (lostFrom === end) return;
      parting!.offset = Math.min(parting!.offset, lostFrom);
      counts.lost(end - lostFrom);
      logger.error(
        { topic, partition, lostFrom, lostTo: end, lostOffsets: end - lostFrom },
        'Kafka has lost records of a chunk that an earlier owner has promised: those that it had not stored are lost',
      );
      replayed.skipTo(end);
      await replayed.flush();
    },
    move: async (carriedTo) => {
      const { offset, log, epoch } = parting!;
      const start = epoch === undefined ? offset : Math.min(offset, carriedTo);
      if (epoch !== undefined && start < carriedTo) {
        const truncated = {
          truncatedFrom: start,
          truncatedTo: carriedTo,
          truncatedOffsets: carriedTo - start,
        };
        logger.error(
          { topic, partition, ...truncated },
          'Kafka has lost records that were carried, as in an unclean leader election: they stay where they are stored, and what has their offsets now is carried beside them',
        );
      }
      await offsets.moveTo(start, log, epoch);
      parting = undefined;
      return start;
    },
  };
}
