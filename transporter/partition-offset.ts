/**
 * The group's offset of one partition while this worker carries it, and what is committed with it: an intent, how far
 * the partition is in time, and of which log the offset is.
 */
import type { TopicPartition } from '../shared/kafka/consumer-protocol.ts';
import type { CommittedOffset } from '../shared/kafka/requests/offsets.ts';
import type { CommitQueue } from './chunk/commit-queue.ts';
import { encodeIntent, type Intent } from './chunk/intent.ts';
import type { PartitionProgress } from './complete/partition-progress.ts';
import { encodeProgress } from './complete/progress.ts';
import type { LeaderEpochs } from './fetch/leader-epochs.ts';

export interface PartitionOffset {
  /** -1 before the first commit of the group. */
  readonly committed: number;
  /** See Progress. */
  readonly log: string | undefined;
  /** Whether this is the offset and metadata that we committed last, or are about to. */
  knows(found: CommittedOffset): boolean;
  /** @throws SkaldError, or the signal's reason */
  commit(offset: number, intent?: Intent): Promise<void>;
  /** From `offset` on there is another log; for `epoch` see LeaderEpochs. @throws SkaldError, or the signal's reason */
  moveTo(offset: number, log: string, epoch: number | undefined): Promise<void>;
}

interface Position {
  offset: number;
  metadata: string;
}

export function createPartitionOffset(
  { topic, partition }: TopicPartition,
  found: { committed: Position; log: string | undefined },
  options: {
    progress: PartitionProgress;
    epochs: LeaderEpochs;
    commits: Pick<CommitQueue, 'commit'>;
    signal: AbortSignal;
  },
): PartitionOffset {
  const { progress, epochs, commits, signal } = options;
  let { log } = found;
  let committed = found.committed;
  let committing: Position | undefined;

  /** An intent leaves the progress as it is: what is late is judged by it, now and when the chunk is made again. */
  const commit = async (offset: number, intent?: Intent): Promise<void> => {
    const known = intent === undefined ? progress.at(offset) : progress.committed;
    const next = { ...known, log, epochs: epochs.until(offset) };
    const metadata = intent === undefined ? encodeProgress(next) : encodeIntent(intent, next);
    committing = { offset, metadata };
    await commits.commit({ topic, partition, offset, metadata }, signal);
    committed = committing;
    committing = undefined;
    progress.onCommitted(next, offset);
  };

  return {
    get committed() {
      return committed.offset;
    },
    get log() {
      return log;
    },
    knows: ({ offset, metadata }) =>
      [committed, committing].some((ours) => ours?.offset === offset && ours.metadata === metadata),
    commit,
    moveTo: async (offset, toLog, epoch) => {
      log = toLog;
      epochs.forgetFrom(offset, epoch);
      progress.forgetLogEnds();
      await commit(offset);
    },
  };
}
