import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { isSkaldError, SkaldError } from '../../shared/errors.ts';
import type { KafkaCluster } from '../../shared/kafka/cluster.ts';
import { kafkaError } from '../../shared/kafka/error-codes.ts';
import { initProducerIdRequest } from '../../shared/kafka/requests/init-producer-id.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { orAborted } from './or-aborted.ts';

const BACKOFF = { baseMs: 100, maxMs: 5_000 };

/**
 * A new producer id (KIP-98), however long it takes: a broker that has just started answers "coordinator loading" at
 * first. Undefined when `signal` aborts before.
 */
export async function newProducerId(
  cluster: KafkaCluster,
  options: { clock: Clock; random: Random; logger: Logger; signal: AbortSignal },
): Promise<{ producerId: bigint; producerEpoch: number } | undefined> {
  const { clock, random, logger, signal } = options;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      const answer = await orAborted(cluster.sendToAny(initProducerIdRequest()), signal);
      if (answer === undefined) return undefined;
      const { errorCode, producerId, producerEpoch } = answer;
      if (errorCode === 0) return { producerId, producerEpoch };
      const { name, message, retriable } = kafkaError(errorCode);
      throw new SkaldError('KAFKA_REFUSED', `No producer id: ${name}, ${message}.`, { retryable: retriable });
    } catch (error) {
      if (!isSkaldError(error)) throw error;
      const level = error.retryable ? 'debug' : attempt === 0 ? 'error' : 'debug';
      logger[level]({ err: error, attempt }, 'cannot get a producer id yet; trying again');
      await clock.sleep(backoffMs(attempt, BACKOFF, random), signal);
    }
  }
  return undefined;
}
