/**
 * Looks in a partition for batches that may be there already, when the broker cannot tell: it has forgotten their
 * producer id. A batch that is found is done; one that is not there when the partition was read to its end was lost.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { KafkaCluster } from '../../shared/kafka/cluster.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { Intent } from '../checkpoint/entries.ts';
import { type Decompress, holdsAllOf, type OwnBatch, ownBatches } from './own-batches.ts';
import { type ReadBudget, readForward, type Shortfall } from './read-forward.ts';
import type { TopicWatch } from './topic-view.ts';

export interface ReadBackOptions {
  journal: Journal;
  cluster: KafkaCluster;
  topicWatch: TopicWatch;
  decompress: Decompress;
  clock: Clock;
  random: Random;
  logger: Logger;
  log: RepeatedLog;
  signal: AbortSignal;
}

export interface ReadBack {
  /** What holds those that are there, by the number of their intent. */
  found: Map<number, OwnBatch>;
  /** Set when the partition could not be read to its end: the others may be there or not. */
  shortfall: Shortfall | undefined;
  /** For the next read of the partition that looks for the rest of these. */
  readTo: number | undefined;
}

/** `intents` are open ones of one partition. Waits while it has no leader; ends early when `signal` aborts. */
export async function readBack(
  partition: number,
  intents: readonly Intent[],
  budget: ReadBudget,
  options: ReadBackOptions,
  readTo?: number,
): Promise<ReadBack> {
  const { logger } = options;
  const found = new Map<number, OwnBatch>();
  const producerIds = new Set(intents.map(({ producerId }) => producerId));
  const own = ownBatches({ producerIds }, options.decompress);
  const hint = options.journal.state.reached.get(partition);
  logger.debug(
    { partition, batches: intents.length },
    'looking in a partition for batches that may be there',
  );
  const read = await readForward({
    ...options,
    partition,
    sinceMs: Math.min(...intents.map(({ timestampMs }) => timestampMs)),
    hint: hint && {
      offset: hint.offset,
      isThere: (header) => header.producerId === hint.producerId && header.baseSequence === hint.baseSequence,
    },
    onBatch: async (bytes, header) => {
      const batch = await own(partition, bytes, header);
      if (batch === undefined) return false;
      for (const intent of intents)
        if (!found.has(intent.n) && holdsAllOf(intent, batch)) found.set(intent.n, batch);
      return found.size === intents.length;
    },
    budget,
    readTo,
  });
  const { shortfall } = read;
  if (found.size > 0) {
    logger.info(
      { partition, batches: intents.length, found: found.size },
      'the partition has batches whose acknowledgement was missing; they do not go again',
    );
  }
  if (shortfall !== undefined && !options.signal.aborted) {
    options.log.warn(
      'read back',
      { partition, batches: intents.length, found: found.size, reason: shortfall },
      `cannot tell whether the partition has all batches: ${shortfall}. Those that were not found go again, and may be ` +
        'there twice. Reading back needs the READ permission on the topic',
    );
  }
  return { found, ...read };
}
