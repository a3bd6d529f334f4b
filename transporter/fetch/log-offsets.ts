import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { isSkaldError } from '../../shared/errors.ts';
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import { kafkaError } from '../../shared/kafka/error-codes.ts';
import type { Isolation } from '../../shared/kafka/requests/fetch.ts';
import { EARLIEST, LATEST } from '../../shared/kafka/requests/list-offsets.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { KafkaPort } from '../kafka-port.ts';
import { partitionKey } from '../topic-partition.ts';
import { partitionInfo } from './replica.ts';
import type { Topology } from './topology.ts';

export type LogEnd = 'earliest' | 'latest';

/**
 * Asks the leader where a partition's log begins or ends, again and again until it answers.
 * @throws the signal's reason
 */
export type AskLogOffset = (partition: TopicPartition, end: LogEnd, signal: AbortSignal) => Promise<number>;

const BACKOFF = { baseMs: 100, maxMs: 5_000 };

export function createLogOffsets(options: {
  kafka: Pick<KafkaPort, 'listOffset'>;
  topology: Pick<Topology, 'view' | 'refresh'>;
  isolation: Isolation;
  clock: Clock;
  random: Random;
  problems: RepeatedLog;
}): AskLogOffset {
  const { kafka, topology, isolation, clock, random, problems } = options;

  const askOnce = async (target: TopicPartition, end: LogEnd): Promise<number | undefined> => {
    const leader = partitionInfo(topology.view, target)?.leader ?? -1;
    if (leader < 0) return undefined;
    const { topic, partition } = target;
    try {
      const timestamp = end === 'earliest' ? EARLIEST : LATEST;
      const listed = await kafka.listOffset(leader, { topic, partition, timestamp, isolation });
      if (listed?.errorCode === 0) return listed.offset;
      const reason = kafkaError(listed?.errorCode ?? -1).name;
      problems.warn(
        `offset/${partitionKey(target)}`,
        { topic, partition, broker: leader, reason },
        'cannot ask for an offset',
      );
    } catch (error) {
      if (!isSkaldError(error)) throw error;
      problems.warn(
        `offset/${partitionKey(target)}`,
        { topic, partition, broker: leader, err: error },
        'cannot ask for an offset',
      );
    }
    return undefined;
  };

  return async (target, end, signal) => {
    for (let failures = 0; ; failures += 1) {
      signal.throwIfAborted();
      const offset = await askOnce(target, end);
      if (offset !== undefined) return offset;
      topology.refresh();
      await clock.sleep(backoffMs(failures, BACKOFF, random), signal);
    }
  };
}
