/**
 * The in-flight window of one partition. The broker removes duplicates by the last five batches of a producer id, so no
 * batch goes more than that ahead of the oldest one without an acknowledgement, and after any failure all that have none
 * go again, in order, under the same identity. Source: KIP-98 (sequence numbers), KIP-679 and the idempotent producer of Apache Kafka.
 */
import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { isSkaldError } from '../../shared/errors.ts';
import { KafkaCode, kafkaError } from '../../shared/kafka/error-codes.ts';
import type { ProducedPartition } from '../../shared/kafka/requests/produce.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { Intent } from '../checkpoint/entries.ts';
import { type Remedy, remedyFor } from './refusal.ts';

/** A finished batch with the intent that names it. */
export interface SealedBatch {
  intent: Intent;
  bytes: Uint8Array;
  rawBytes: number;
  heldBytes: number;
}

/** Why a window cannot go on as it is; somebody has to replace its batches. */
export type IdentityLoss =
  | Extract<Remedy, 'identity-lost' | 'too-large' | 'built-anew'>
  /** The broker may have forgotten the producer by now, and would take for new what it has. */
  | 'identity-stale'
  /** The topic has no such partition any more. */
  | 'partition-gone';

export interface PartitionSenderOptions {
  partition: number;
  maxInFlight: number;
  /** One attempt. @throws SkaldError when there is no answer, or no leader to ask */
  produce(bytes: Uint8Array): Promise<ProducedPartition>;
  onAcknowledged(batch: SealedBatch, baseOffset: number, sentMs: number): void;
  /** The window has stopped and nothing is in flight; goes on after `adopt`. `batches` are in order. */
  onIdentityLoss(loss: IdentityLoss, batches: SealedBatch[]): void;
  onError(code: string): void;
  /** Metadata may be stale. */
  refresh(): Promise<void>;
  /** Whether the topic is there, by the last metadata, and this partition of it is not. */
  isGone(): boolean;
  /** Whether brokers may have forgotten the producer of a batch that was sent before. */
  isStale(intent: Intent): Promise<boolean>;
  clock: Clock;
  random: Random;
  log: RepeatedLog;
  signal: AbortSignal;
}

export interface PartitionSender {
  /** False while the window is full. */
  readonly hasRoom: boolean;
  /** False while batches fail and go again: the partitioner looks elsewhere. */
  readonly healthy: boolean;
  readonly inFlight: number;
  /** All batches without an acknowledgement, oldest first. */
  readonly waiting: readonly SealedBatch[];
  /** Takes the next batch in order. Batches beyond the window (from a recovery) wait inside. */
  submit(batch: SealedBatch): void;
  /** Takes these for the batches that were given to `onIdentityLoss`; what was submitted since stays behind them. */
  adopt(batches: SealedBatch[]): void;
}

const BACKOFF = { baseMs: 50, maxMs: 5_000 };
/** For refusals that only a person can end, such as a missing ACL. */
const SLOW_BACKOFF = { baseMs: 1_000, maxMs: 30_000 };

/**
 * Brokers forget an idle producer id after producer.id.expiration.ms: a day, unless somebody has set less, and they look
 * every ten minutes. To go alone costs the first batch after a silence nothing, so the silence is short.
 */
const REMEMBERED_MS = 60_000;

/** For so long brokers must agree that a partition is not there: they learn of a topic one after another. */
const GONE_MS = 5_000;

interface Slot {
  batch: SealedBatch;
  /** Its place in the order of sending. */
  place: number;
  sent: boolean;
}

type Failure = { code: number; error?: undefined } | { error: unknown; code?: undefined };

export function partitionSender(options: PartitionSenderOptions): PartitionSender {
  const { partition, clock, random, log, signal } = options;
  let slots: Slot[] = [];
  let nextPlace = 0;
  let inFlight = 0;
  /** The failure of the oldest failed slot since the window last stopped. */
  let failure: { slot: Slot; why: Failure; wasOldest: boolean } | undefined;
  let recovering = false;
  let attempts = 0;
  /** How many slots, from the oldest, wait for `adopt`. */
  let lost = 0;
  /** Since when every metadata says that the partition is not there. */
  let goneSinceMs: number | undefined;
  /**
   * The identity of the last acknowledgement. A broker takes any first sequence of a producer id that it does not know:
   * were the first batch lost on its way, the second would be appended before it. So the first one goes alone.
   */
  let known: { producerId: bigint; atMs: number } | undefined;

  /** Whether a batch may be in flight behind `before`. */
  const mayFollow = (slot: Slot, before: Slot | undefined): boolean => {
    if (before === undefined) return true;
    const { producerId } = slot.batch.intent;
    // Two identities in flight at once could be appended in either order.
    if (before.batch.intent.producerId !== producerId) return false;
    return known?.producerId === producerId && clock.monotonicMs() - known.atMs < REMEMBERED_MS;
  };

  const slotFor = (batch: SealedBatch): Slot => ({ batch, place: nextPlace++, sent: false });

  /**
   * Whether a batch at `place` is among those that the broker would know again together with the oldest one. Later ones
   * may have been acknowledged before it, when the broker appended it and answered that it was not replicated in time.
   */
  const isInWindow = (place: number): boolean => {
    const [oldest] = slots;
    return oldest === undefined || place - oldest.place < options.maxInFlight;
  };

  const pump = (): void => {
    if (recovering || signal.aborted) return;
    for (const [i, slot] of slots.entries()) {
      if (!isInWindow(slot.place)) return;
      if (slot.sent) continue;
      if (!mayFollow(slot, slots[i - 1])) return;
      void send(slot);
    }
  };

  const acknowledge = (slot: Slot, baseOffset: number, sentMs: number): void => {
    slots = slots.filter((other) => other !== slot);
    attempts = 0;
    known = { producerId: slot.batch.intent.producerId, atMs: clock.monotonicMs() };
    options.onAcknowledged(slot.batch, baseOffset, sentMs);
  };

  const fail = (slot: Slot, why: Failure): void => {
    slot.sent = false;
    recovering = true;
    if (failure === undefined || slots.indexOf(slot) < slots.indexOf(failure.slot)) {
      failure = { slot, why, wasOldest: slots[0] === slot };
    }
  };

  const send = async (slot: Slot): Promise<void> => {
    slot.sent = true;
    inFlight += 1;
    const sentMs = clock.monotonicMs();
    try {
      const answer = await options.produce(slot.batch.bytes);
      // Older than the five that the broker remembers with their offsets, but appended.
      const known = answer.errorCode === KafkaCode.DUPLICATE_SEQUENCE_NUMBER;
      if (answer.errorCode === KafkaCode.NONE || known) acknowledge(slot, answer.baseOffset, sentMs);
      else fail(slot, { code: answer.errorCode });
    } catch (error) {
      fail(slot, { error });
    }
    inFlight -= 1;
    if (!recovering) pump();
    else if (inFlight === 0) await recover();
  };

  const recover = async (): Promise<void> => {
    const { slot, why, wasOldest } = failure!;
    failure = undefined;
    // Only the oldest batch can tell: a later one is out of order because an earlier one failed. What came before the answers
    // of earlier ones may have overtaken them on its way, and is not out of order any more.
    const told = why.code !== undefined && slots[0] === slot ? remedyFor(why.code, attempts) : 'again';
    const remedy = told === 'identity-lost' && !wasOldest ? 'again' : told;
    const { errorName, slow } = report(slot, why, remedy);
    options.onError(errorName);
    if (why.code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION) known = undefined; // another topic may take its name
    if (remedy === 'identity-lost' || remedy === 'too-large' || remedy === 'built-anew') {
      // The first time at once; again only if that was no better.
      const distances = remedy === 'built-anew' ? SLOW_BACKOFF : BACKOFF;
      if (attempts > 0) await clock.sleep(backoffMs(attempts - 1, distances, random), signal);
      giveAway(remedy);
      return;
    }
    await clock.sleep(backoffMs(attempts, slow ? SLOW_BACKOFF : BACKOFF, random), signal);
    if (signal.aborted) return;
    await options.refresh();
    if (options.isGone()) goneSinceMs ??= clock.monotonicMs();
    else goneSinceMs = undefined;
    if (goneSinceMs !== undefined && clock.monotonicMs() - goneSinceMs >= GONE_MS) {
      giveAway('partition-gone');
      return;
    }
    const [oldest] = slots;
    if (oldest !== undefined && (await options.isStale(oldest.batch.intent))) {
      giveAway('identity-stale');
      return;
    }
    attempts += 1;
    recovering = false;
    pump();
  };

  const giveAway = (loss: IdentityLoss): void => {
    attempts += 1;
    if (signal.aborted) return;
    lost = slots.length;
    options.onIdentityLoss(
      loss,
      slots.map((s) => s.batch),
    );
  };

  /** Says what went wrong, once for each kind of trouble, and whether to try again slowly. */
  const report = (slot: Slot, why: Failure, remedy: Remedy): { errorName: string; slow: boolean } => {
    const fields = { partition, records: slot.batch.intent.records, attempts };
    if (why.code === undefined) {
      const code = isSkaldError(why.error) ? why.error.code : 'UNEXPECTED';
      const slow = code === 'KAFKA_AUTHENTICATION' || code === 'KAFKA_TLS';
      const message = 'a batch got no answer; it goes again under the same identity';
      log[slow ? 'error' : 'warn'](`produce ${code}`, { ...fields, err: why.error }, message);
      return { errorName: code, slow };
    }
    const { name, message, retriable } = kafkaError(why.code);
    // A batch that was built anew and is refused again is refused for something that a person must change.
    const helpless = remedy === 'again-slowly' || (remedy === 'built-anew' && attempts > 0);
    const text = `the broker refused a batch: ${name}, ${message}; trying again, nothing is lost`;
    // Two problems to the log, which keeps the level that a problem began with.
    if (helpless) log.error(`refused ${name}`, fields, text);
    else log.warn(`produce ${name}`, fields, text);
    return { errorName: name, slow: !retriable };
  };

  return {
    get hasRoom() {
      return isInWindow(nextPlace);
    },
    get healthy() {
      return !recovering;
    },
    get inFlight() {
      return inFlight;
    },
    get waiting() {
      return slots.map((slot) => slot.batch);
    },
    submit: (batch) => {
      slots.push(slotFor(batch));
      pump();
    },
    adopt: (batches) => {
      const since = slots.slice(lost).map((slot) => slot.batch);
      slots = [...batches, ...since].map(slotFor);
      lost = 0;
      known = undefined;
      recovering = false;
      pump();
    },
  };
}
