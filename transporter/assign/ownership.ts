import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { isSkaldError } from '../../shared/errors.ts';
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import type { GroupMember } from '../../shared/kafka/coordinator.ts';
import type { CommittedOffset } from '../../shared/kafka/requests/offsets.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { CommitQueue } from '../chunk/commit-queue.ts';
import type { KafkaPort } from '../kafka-port.ts';
import type { PartitionFlow } from '../partition-flow.ts';
import { partitionKey } from '../topic-partition.ts';

/** The partitions of this worker, and what happens to them when the group deals them out anew. */
export interface Ownership {
  readonly flows: ReadonlyMap<string, PartitionFlow>;
  onAssigned(member: GroupMember, partitions: readonly TopicPartition[]): void;
  onLost(): void;
  /** No partition is begun any more. */
  freeze(): void;
}

export interface OwnershipOptions {
  kafka: Pick<KafkaPort, 'fetchOffsets'>;
  commits: Pick<CommitQueue, 'pause' | 'resume'>;
  begin: (partition: TopicPartition, committed: CommittedOffset) => PartitionFlow;
  /** Stops fetching for it. */
  end: (flow: PartitionFlow) => void;
  clock: Clock;
  random: Random;
  problems: RepeatedLog;
  signal: AbortSignal;
}

const BACKOFF = { baseMs: 100, maxMs: 5_000 };

/**
 * At each new generation: what left is forgotten, and nothing is committed before the group's offsets have
 * been read again. They tell whether somebody else had a partition in between: then they are not the ones
 * that its flow knows, and it begins anew. Meanwhile fetching and decoding go on. Reading them in the new
 * generation is safe, because the coordinator refuses from its beginning on what older generations commit.
 */
export function createOwnership(options: OwnershipOptions): Ownership {
  const { kafka, commits, clock, random, problems, signal } = options;
  const flows = new Map<string, PartitionFlow>();
  let generation = 0;
  let isFrozen = false;

  const take = async (member: GroupMember, partitions: readonly TopicPartition[]): Promise<void> => {
    commits.pause();
    generation += 1;
    const mine = generation;
    const isCurrent = (): boolean => mine === generation && !signal.aborted;
    const kept = new Set(partitions.map(partitionKey));
    for (const [key, flow] of flows) if (!kept.has(key)) drop(key, flow);
    const offsets = await readOffsets(partitions, isCurrent);
    if (!isCurrent()) return;
    for (const committed of offsets) {
      const key = partitionKey(committed);
      const flow = flows.get(key);
      if (flow !== undefined) flow.reconcile(committed);
      else if (!isFrozen) flows.set(key, options.begin(committed, committed));
    }
    commits.resume(member);
  };

  const drop = (key: string, flow: PartitionFlow): void => {
    flows.delete(key);
    options.end(flow);
    flow.abandon();
  };

  const readOffsets = async (
    partitions: readonly TopicPartition[],
    isCurrent: () => boolean,
  ): Promise<CommittedOffset[]> => {
    for (let failures = 0; isCurrent() && partitions.length > 0; failures += 1) {
      try {
        return await kafka.fetchOffsets(partitions);
      } catch (error) {
        if (!isSkaldError(error)) throw error;
        problems.warn('offsets', { err: error }, 'the committed offsets of the group cannot be read yet');
        await clock.sleep(backoffMs(failures, BACKOFF, random), signal);
      }
    }
    return [];
  };

  return {
    flows,
    onAssigned: (member, partitions) => void take(member, partitions),
    onLost: () => {
      // Flows go on gathering: the next generation tells which of them are still right.
      generation += 1;
      commits.pause();
    },
    freeze: () => {
      isFrozen = true;
    },
  };
}
