/**
 * Encoded batches, in the order in which their lines were read, to acknowledged batches: partition choice, intent,
 * produce, commit. One publisher serves one pipeline.
 */
import { type Clock, type Random, WOKEN } from '../../shared/clock.ts';
import { SkaldError } from '../../shared/errors.ts';
import type { KafkaCluster, Lane } from '../../shared/kafka/cluster.ts';
import { produceRequest, type ProducedPartition } from '../../shared/kafka/requests/produce.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { EncodedPart, JobSegment } from '../batch/encode-batches.ts';
import type { Intent } from '../checkpoint/entries.ts';
import { isSameTarget } from '../checkpoint/state.ts';
import {
  type IdentityLoss,
  type PartitionSender,
  partitionSender,
  type PartitionSenderOptions,
  type SealedBatch,
} from './partition-sender.ts';
import type { Partitioner } from './partitioner.ts';
import type { LostIntentsOptions } from './lost-intents.ts';
import { orAborted } from './or-aborted.ts';
import { newProducerId } from './producer-id.ts';
import { producerMemory } from './producer-memory.ts';
import type { ReidentifyOptions } from './reidentify.ts';
import { windowReplacer } from './replace-window.ts';
import type { ReplayOutcome } from './open-batches.ts';
import { resume } from './resume.ts';
import { type BatchSettings, sealPart } from './seal.ts';
import type { SettleOptions } from './settle.ts';
import type { TopicView } from './topic-view.ts';

export interface PublishedBatch {
  intent: Intent;
  rawBytes: number;
  batchBytes: number;
  /** What `publish` was told that the batch holds of the memory budget. */
  heldBytes: number;
  /** The leader is in another rack than the agent; false when one of the two racks is not known. */
  crossedRack: boolean;
  /** From sending to the acknowledgement. */
  tookMs: number;
}

export interface PublisherOptions
  extends
    Omit<ReidentifyOptions, 'newProducerId'>,
    Pick<LostIntentsOptions, 'host' | 'pipeline' | 'reopen' | 'delimiter' | 'skipsRests' | 'decompress'> {
  topic: string;
  cluster: KafkaCluster;
  /** Connections of its own: a batch that waits for replicas must not hold up those of other pipelines. */
  lane: Lane;
  partitioner: Partitioner;
  rack: string | undefined;
  maxInFlight: number;
  requestTimeoutMs: number;
  /** Lines that were read again for a batch of their own. */
  encodeLines(segment: JobSegment): Promise<{ parts: EncodedPart[]; settings: BatchSettings }>;
  onAcknowledged(batch: PublishedBatch): void;
  /** Nobody reads these bytes of a batch any more. */
  onSpare(bytes: Uint8Array): void;
  onMoved(reason: string): void;
  /** The broker has asked not to be sent anything for so long, because of a quota. */
  onThrottled(ms: number): void;
  /** What became of the batches that an earlier process left open. */
  onReplayed(outcome: ReplayOutcome, batches: number): void;
  onError(code: string): void;
  clock: Clock;
  random: Random;
  log: RepeatedLog;
  /** Aborts when the publisher must not wait or retry any more; what is open then stays open in the journal. */
  signal: AbortSignal;
}

export interface Publisher {
  /**
   * Publishes one part. Resolves when its intent is written and it is on its way (false: not taken, the publisher
   * stops); waits while no partition has room. Must not be called again before it has resolved.
   */
  publish(part: EncodedPart, settings: BatchSettings, heldBytes: number): Promise<boolean>;
  /**
   * Publishes parts of the same ranges, each to the partition that its keys stand for. All of their intents are in one
   * journal entry: with some of them alone, the records of the others would be passed over after a crash.
   */
  publishKeyed(parts: readonly EncodedPart[], settings: BatchSettings): Promise<boolean>;
  /** Sends the open intents of an earlier process again, first; see resume.ts. */
  resume(): Promise<void>;
  readonly inFlight: number;
  /** Resolves when nothing waits for an acknowledgement, or when `signal` aborts. */
  drained(signal: AbortSignal): Promise<void>;
}

/** A partition whose window stays full this long is slow: the next batch goes elsewhere. */
const SLOW_MS = 1_000;
/** How often a publisher that waits for room looks again at leaders and health. */
const LOOK_AGAIN_MS = 100;

export function createPublisher(options: PublisherOptions): Publisher {
  const { topic, cluster, topicWatch, journal, clock, random, logger, signal } = options;
  const senders = new Map<number, PartitionSender>();
  const fullSinceMs = new Map<number, number>();
  /** How often a batch's bytes were sent. */
  const sends = new WeakMap<Uint8Array, number>();
  /** Aborts at the next acknowledgement: a sleep lets go of a signal when it ends, a race never lets go of a promise. */
  let progress = new AbortController();

  const madeProgress = (): void => {
    progress.abort(WOKEN);
    progress = new AbortController();
  };

  const produce = async (partition: number, bytes: Uint8Array): Promise<ProducedPartition> => {
    const leader = topicWatch.view?.partitions.find((p) => p.partition === partition)?.leader ?? -1;
    if (leader === -1) {
      throw new SkaldError('KAFKA_NO_LEADER', `Partition ${partition} of ${topic} has no leader.`, {
        where: { topic, partition },
      });
    }
    const request = produceRequest({
      partitions: [{ topic, partition, batch: bytes }],
      timeoutMs: options.requestTimeoutMs,
    });
    sends.set(bytes, (sends.get(bytes) ?? 0) + 1);
    const answer = await cluster.send(leader, options.lane, request);
    if (answer.throttleMs > 0) options.onThrottled(answer.throttleMs);
    const produced = answer.partitions[0];
    if (produced === undefined)
      throw new SkaldError('KAFKA_PROTOCOL', 'The answer to Produce names no partition.');
    return produced;
  };

  const acknowledged = (batch: SealedBatch, offset: number, sentMs: number): void => {
    const { intent, bytes, rawBytes } = batch;
    journal.append({ t: 'commit', n: intent.n, offset });
    const leader = topicWatch.view?.partitions.find((p) => p.partition === intent.partition)?.leader;
    const leaderRack = leader === undefined ? undefined : topicWatch.view?.brokers.get(leader)?.rack;
    options.onAcknowledged({
      intent,
      rawBytes,
      batchBytes: bytes.length,
      heldBytes: batch.heldBytes,
      crossedRack: leaderRack !== undefined && options.rack !== undefined && leaderRack !== options.rack,
      tookMs: clock.monotonicMs() - sentMs,
    });
    // What was sent before may still be on its way, from memory, through a connection that nobody waits for.
    if (sends.get(bytes) === 1) options.onSpare(bytes);
    fullSinceMs.delete(intent.partition);
    madeProgress();
  };

  const newSender = (
    partition: number,
    told: Pick<PartitionSenderOptions, 'onAcknowledged' | 'onIdentityLoss' | 'isStale'>,
  ): PartitionSender =>
    partitionSender({
      ...told,
      partition,
      maxInFlight: options.maxInFlight,
      produce: (bytes) => produce(partition, bytes),
      onError: (code) => options.onError(code),
      refresh: () => topicWatch.refresh(),
      isGone: () => !(topicWatch.view?.partitions.some((p) => p.partition === partition) ?? true),
      clock,
      random,
      log: options.log,
      signal,
    });

  const senderOf = (partition: number): PartitionSender => {
    const known = senders.get(partition);
    if (known !== undefined) return known;
    const sender: PartitionSender = newSender(partition, {
      isStale,
      onAcknowledged: acknowledged,
      onIdentityLoss: (loss, batches) => {
        replaceBatches(sender, partition, loss, batches).catch((error: unknown) => {
          logger.error(
            { err: error, partition },
            'a batch could not be given a new identity; its lines wait for a restart',
          );
        });
      },
    });
    senders.set(partition, sender);
    return sender;
  };

  /** For a batch that the partition does not have, by a read of it; while nothing else is on its way there. */
  const judge: SettleOptions['judge'] = (batch) =>
    orAborted(
      new Promise((resolve) => {
        newSender(batch.intent.partition, {
          isStale: () => Promise.resolve(false),
          onAcknowledged: (_, offset, sentMs) => resolve({ offset, sentMs }),
          onIdentityLoss: resolve,
        }).submit(batch);
      }),
      signal,
    );

  const isStale = producerMemory({ cluster, topicWatch, clock });

  const askProducerId = () => newProducerId(cluster, { clock, random, logger, signal });

  const ensureProducer = async (): Promise<boolean> => {
    if (journal.state.producer !== undefined) return true;
    const identity = await askProducerId();
    if (identity === undefined) return false;
    if (journal.state.producer === undefined) journal.append({ t: 'producer', ...identity });
    return true;
  };

  const replaceBatches = async (
    sender: PartitionSender,
    partition: number,
    loss: IdentityLoss,
    batches: SealedBatch[],
  ): Promise<void> => {
    const replaced = await replaceWindow(partition, loss, batches);
    if (replaced === undefined) return;
    if (replaced.partition === partition) sender.adopt([...replaced.batches]);
    else {
      sender.adopt([]);
      for (const batch of replaced.batches) senderOf(replaced.partition).submit(batch);
    }
    madeProgress();
  };

  /** For batches that must leave their partition; undefined when the publisher stops first. */
  const anotherPartition = async (): Promise<number | undefined> => {
    while (!signal.aborted) {
      const view = topicWatch.view;
      const choice = view === undefined ? undefined : options.partitioner.choose(view, usable);
      if (choice?.moved !== undefined) options.onMoved(choice.moved);
      if (choice !== undefined) return choice.partition;
      await clock.sleep(LOOK_AGAIN_MS, signal);
      await orAborted(topicWatch.refresh(), signal);
    }
    return undefined;
  };

  const replaceWindow = windowReplacer({
    ...options,
    newProducerId: askProducerId,
    anotherPartition,
    onFound: (batch, offset) => acknowledged(batch, offset, clock.monotonicMs()),
  });

  const usable = (partition: number): boolean => {
    const sender = senders.get(partition);
    if (sender === undefined) return true;
    if (!sender.healthy) return false;
    if (sender.hasRoom) {
      fullSinceMs.delete(partition);
      return true;
    }
    const sinceMs = fullSinceMs.get(partition) ?? clock.monotonicMs();
    fullSinceMs.set(partition, sinceMs);
    return clock.monotonicMs() - sinceMs < SLOW_MS;
  };

  const chooseSender = async (
    view: TopicView,
  ): Promise<{ sender: PartitionSender; partition: number } | undefined> => {
    while (!signal.aborted) {
      const choice = options.partitioner.choose(topicWatch.view ?? view, usable);
      if (choice?.moved !== undefined) options.onMoved(choice.moved);
      if (choice !== undefined) {
        const sender = senderOf(choice.partition);
        if (sender.hasRoom) return { sender, partition: choice.partition };
      }
      await clock.sleep(LOOK_AGAIN_MS, progress.signal);
      if (choice === undefined) await orAborted(topicWatch.refresh(), signal);
    }
    return undefined;
  };

  /** Waits for the topic and a producer id, which is all that a batch needs besides a partition. */
  const ready = async (): Promise<TopicView | undefined> => {
    const view = await topicWatch.first(signal);
    if (view === undefined || !(await ensureProducer())) return undefined;
    const target = { topic, clusterId: view.clusterId };
    if (!isSameTarget(journal.state.target, target)) journal.append({ t: 'target', ...target });
    return view;
  };

  const roomIn = async (partition: number): Promise<boolean> => {
    while (!signal.aborted && !senderOf(partition).hasRoom) await clock.sleep(LOOK_AGAIN_MS, progress.signal);
    return !signal.aborted;
  };

  const publish: Publisher['publish'] = async (part, settings, heldBytes) => {
    // Also for a part without records: the one before it may not have been taken.
    if (signal.aborted) return false;
    if (part.records === 0) {
      for (const { file: id, end: to, skipRest: skipping, restBytes } of part.ranges) {
        journal.append({ t: 'skip', id, to, skipping, restBytes });
      }
      await journal.flush();
      return true;
    }
    const view = await ready();
    const chosen = view && (await chooseSender(view));
    if (chosen === undefined) return false;
    options.partitioner.took(part.rawBytes);
    const { partition, sender } = chosen;
    const baseSequence = journal.state.sequences.get(partition) ?? 0;
    const { nextIntent: n, producer } = journal.state;
    const batch = sealPart({ part, settings, heldBytes }, { ...producer!, partition, n, baseSequence });
    journal.append({ t: 'intent', ...batch.intent });
    await journal.flush();
    sender.submit(batch);
    return true;
  };

  const sendLines = async (segment: JobSegment): Promise<boolean> => {
    const { parts, settings } = await options.encodeLines(segment);
    for (const part of parts) if (!(await publish(part, settings, 0))) return false;
    return true;
  };

  return {
    publish,

    publishKeyed: async (parts, settings) => {
      if (signal.aborted || (await ready()) === undefined) return false;
      for (const { slot } of parts) if (!(await roomIn(slot!))) return false;
      const { nextIntent, producer, sequences } = journal.state;
      const batches = parts.map((part, i) => {
        const partition = part.slot!;
        const place = { partition, n: nextIntent + i, baseSequence: sequences.get(partition) ?? 0 };
        return sealPart({ part, settings, heldBytes: part.batch.length }, { ...producer!, ...place });
      });
      journal.append({ t: 'intents', intents: batches.map(({ intent }) => intent) });
      await journal.flush();
      for (const batch of batches) senderOf(batch.intent.partition).submit(batch);
      return true;
    },

    resume: () =>
      resume({
        ...options,
        newProducerId: askProducerId,
        isStale,
        judge,
        onTaken: (batch, { offset, sentMs }) => acknowledged(batch, offset, sentMs),
        anotherPartition,
        sendLines,
        submit: (batch) => senderOf(batch.intent.partition).submit(batch),
      }),

    get inFlight() {
      let count = 0;
      for (const sender of senders.values()) count += sender.inFlight;
      return count;
    },

    drained: async (until) => {
      const aborted = aborts(until);
      while (!until.aborted && [...senders.values()].some((sender) => sender.waiting.length > 0)) {
        await Promise.race([aborts(progress.signal), aborted]);
      }
    },
  };
}

function aborts(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
