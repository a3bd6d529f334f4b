/** What a broker's refusal of a batch means for the batch: some pass, some end when a person acts, some never end. */
import { KafkaCode, kafkaError } from '../../shared/kafka/error-codes.ts';

export type Remedy =
  /** The same bytes again, soon. */
  | 'again'
  /** The same bytes again, slowly: only a person can end it (an ACL, a topic's settings), and then nothing is lost. */
  | 'again-slowly'
  /** The broker cannot tell under this identity whether it has the batch. */
  | 'identity-lost'
  /** Smaller batches. */
  | 'too-large'
  /**
   * These bytes will never be taken, and were not: the same lines go with the time and the settings of now. Without
   * that, a batch that waited out a long outage, or was closed while the clock was wrong, would block its partition for
   * ever, and so would one in a codec that the pipeline does not use any more.
   */
  | 'built-anew';

/** A batch that a broker finds damaged this often is damaged here; before that, it was on its way. */
const DAMAGED_HERE = 3;

const REMEDIES = new Map<number, Remedy>([
  [KafkaCode.OUT_OF_ORDER_SEQUENCE_NUMBER, 'identity-lost'],
  [KafkaCode.UNKNOWN_PRODUCER_ID, 'identity-lost'],
  [KafkaCode.INVALID_PRODUCER_EPOCH, 'identity-lost'],
  [KafkaCode.PRODUCER_FENCED, 'identity-lost'],
  [KafkaCode.MESSAGE_TOO_LARGE, 'too-large'],
  [KafkaCode.RECORD_LIST_TOO_LARGE, 'too-large'],
  [KafkaCode.INVALID_TIMESTAMP, 'built-anew'],
  [KafkaCode.UNSUPPORTED_COMPRESSION_TYPE, 'built-anew'],
]);

/**
 * The remedy for the oldest batch of a window that was refused with `code` after `attempts` attempts in a row.
 * INVALID_RECORD, INVALID_REQUIRED_ACKS, POLICY_VIOLATION and the like are about the topic and not about the batch: a
 * compacted topic refuses every record without a key, so another batch would fare no better.
 */
export function remedyFor(code: number, attempts: number): Remedy {
  if (code === KafkaCode.CORRUPT_MESSAGE && attempts >= DAMAGED_HERE) return 'built-anew';
  return REMEDIES.get(code) ?? (kafkaError(code).retriable ? 'again' : 'again-slowly');
}
