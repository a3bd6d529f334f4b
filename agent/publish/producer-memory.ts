import type { Clock } from '../../shared/clock.ts';
import { isSkaldError } from '../../shared/errors.ts';
import type { KafkaCluster } from '../../shared/kafka/cluster.ts';
import { describeBrokerConfigRequest } from '../../shared/kafka/requests/describe-config.ts';
import type { Intent } from '../checkpoint/entries.ts';
import type { TopicWatch } from './topic-view.ts';

const SETTING = 'producer.id.expiration.ms';
/** Where the agent may not ask, a small part of Kafka's default of a day. */
const UNKNOWN_MS = 3_600_000;
const MAX_AGE_MS = 10 * 60_000;
/** No broker is that quick to forget; so what is lost and sent again at once costs no question. */
const FRESH_MS = 2_000;
/** A batch from the future was closed before the clock was set back, nobody knows how long ago. */
const CLOCK_STEP_MS = 60_000;

/**
 * Returns a function that says whether brokers may have forgotten the producer of a batch. They forget an id when the
 * timestamp of its last batch in the partition is older than producer.id.expiration.ms, and then take any sequence of it
 * as new. Half of that counts as old already. Source: ProducerStateManager.isProducerExpired of Apache Kafka.
 */
export function producerMemory(options: {
  cluster: KafkaCluster;
  topicWatch: TopicWatch;
  clock: Clock;
}): (batch: Pick<Intent, 'timestampMs'>) => Promise<boolean> {
  const { cluster, topicWatch, clock } = options;
  let known: { ms: number; askedMs: number } | undefined;

  const ask = async (): Promise<number> => {
    const [nodeId] = topicWatch.view?.brokers.keys() ?? [];
    if (nodeId === undefined) return UNKNOWN_MS;
    try {
      const answer = await cluster.send(nodeId, 'control', describeBrokerConfigRequest(nodeId, [SETTING]));
      const ms = Number(answer.values.get(SETTING) ?? Number.NaN);
      known = { ms: Number.isInteger(ms) && ms > 0 ? ms / 2 : UNKNOWN_MS, askedMs: clock.monotonicMs() };
      return known.ms;
    } catch (error) {
      if (!isSkaldError(error)) throw error;
      return known?.ms ?? UNKNOWN_MS; // brokers that do not answer are no news
    }
  };

  return async ({ timestampMs }) => {
    const ageMs = clock.nowMs() - timestampMs;
    if (ageMs < -CLOCK_STEP_MS) return true;
    if (ageMs < FRESH_MS) return false;
    const isKnown = known !== undefined && clock.monotonicMs() - known.askedMs < MAX_AGE_MS;
    return ageMs > (isKnown ? known!.ms : await ask());
  };
}
