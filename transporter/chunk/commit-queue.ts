import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { isSkaldError, SkaldError } from '../../shared/errors.ts';
import type { GroupMember } from '../../shared/kafka/coordinator.ts';
import { KafkaCode, kafkaError } from '../../shared/kafka/error-codes.ts';
import type { OffsetToCommit } from '../../shared/kafka/requests/offsets.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { TransporterMetrics } from '../../shared/telemetry/transporter-metrics.ts';
import type { KafkaPort } from '../kafka-port.ts';
import { partitionKey } from '../topic-partition.ts';
import { createWakeup } from '../wakeup.ts';

/** Commits of all partitions: many travel in one request, one request at a time. */
export interface CommitQueue {
  /**
   * Resolves when the coordinator has the commit for certain. There is at most one at a time for each
   * partition.
   * @throws SkaldError KAFKA_REFUSED when it can never succeed; the signal's reason when that aborts first:
   * then it may or may not have happened
   */
  commit(offset: OffsetToCommit, signal: AbortSignal): Promise<void>;
  /** Nothing is sent until `resume`: the generation is over, or its owner must look at the offsets first. */
  pause(): void;
  resume(member: GroupMember): void;
  /** Ends with the signal of the options. */
  readonly done: Promise<void>;
}

export interface CommitQueueOptions {
  kafka: Pick<KafkaPort, 'commitOffsets' | 'fetchOffsets'>;
  clock: Clock;
  random: Random;
  metrics: Pick<TransporterMetrics, 'commitSeconds'>;
  problems: RepeatedLog;
  signal: AbortSignal;
}

interface Waiting {
  offset: OffsetToCommit;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Bounds the size of a request: an intent takes up to 4 KiB. */
const MAX_BATCH = 500;
const BACKOFF = { baseMs: 100, maxMs: 5_000 };

/**
 * This generation is over. The group tells the new one to whoever belongs to it; until then nothing can be
 * committed.
 */
const GENERATION_OVER: ReadonlySet<number> = new Set([
  KafkaCode.ILLEGAL_GENERATION,
  KafkaCode.UNKNOWN_MEMBER_ID,
  KafkaCode.REBALANCE_IN_PROGRESS,
  KafkaCode.FENCED_INSTANCE_ID,
]);

/** OFFSET_METADATA_TOO_LARGE, INVALID_COMMIT_OFFSET_SIZE: the same commit is refused every time. */
const HOPELESS: ReadonlySet<number> = new Set([12, 28]);

export function createCommitQueue(options: CommitQueueOptions): CommitQueue {
  const { kafka, clock, random, metrics, problems, signal } = options;
  const waiting = new Map<string, Waiting>();
  const changed = createWakeup();
  let member: GroupMember | undefined;
  let failures = 0;

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      const sender = member;
      const batch = [...waiting.values()].slice(0, MAX_BATCH);
      if (sender === undefined || batch.length === 0) {
        await changed.wait(signal);
        continue;
      }
      const startedAtMs = clock.monotonicMs();
      try {
        const answers = await kafka.commitOffsets(
          sender,
          batch.map((entry) => entry.offset),
        );
        metrics.commitSeconds.observe((clock.monotonicMs() - startedAtMs) / 1000);
        for (const answer of answers) settle(batch, answer, sender);
      } catch (error) {
        if (!isSkaldError(error)) throw error;
        failures += 1;
        problems.warn('commit', { err: error }, 'a commit has no answer: the offsets are read back');
        await readBack(batch);
      }
      if (failures > 0) await clock.sleep(backoffMs(failures - 1, BACKOFF, random), signal);
    }
  };

  const settle = (
    batch: readonly Waiting[],
    answer: { topic: string; partition: number; errorCode: number },
    sender: GroupMember,
  ): void => {
    const key = partitionKey(answer);
    const entry = waiting.get(key);
    // Whoever gave up meanwhile, perhaps to commit something else, is not answered.
    if (entry === undefined || !batch.includes(entry)) return;
    const { topic, partition, errorCode } = answer;
    if (errorCode === KafkaCode.NONE) {
      failures = 0;
      waiting.delete(key);
      entry.resolve();
      return;
    }
    const { name, message } = kafkaError(errorCode);
    if (GENERATION_OVER.has(errorCode)) {
      if (member === sender) member = undefined;
      return;
    }
    const where = { topic, partition, kafkaCode: errorCode };
    if (HOPELESS.has(errorCode)) {
      waiting.delete(key);
      const bytes = Buffer.byteLength(entry.offset.metadata);
      const text = `Commit of ${key}: ${name}, ${message}. The intent has ${bytes} bytes: raise the setting to 4096, its default, or use fewer columns; then restart.`;
      entry.reject(new SkaldError('KAFKA_REFUSED', text, { where }));
      return;
    }
    failures += 1;
    problems.error(`commit/${name}`, { ...where, reason: message }, 'an offset cannot be committed');
  };

  /** After a lost answer: what the coordinator has is done, and the rest is sent again. */
  const readBack = async (batch: readonly Waiting[]): Promise<void> => {
    while (!signal.aborted) {
      try {
        const committed = await kafka.fetchOffsets(batch.map((entry) => entry.offset));
        for (const found of committed) {
          const key = partitionKey(found);
          const entry = waiting.get(key);
          if (entry === undefined || !batch.includes(entry)) continue;
          if (found.offset !== entry.offset.offset || found.metadata !== entry.offset.metadata) continue;
          waiting.delete(key);
          entry.resolve();
        }
        return;
      } catch (error) {
        if (!isSkaldError(error)) throw error;
        failures += 1;
        problems.warn('commit', { err: error }, 'committed offsets cannot be read back');
        await clock.sleep(backoffMs(failures - 1, BACKOFF, random), signal);
      }
    }
  };

  const commit = async (offset: OffsetToCommit, given: AbortSignal): Promise<void> => {
    given.throwIfAborted();
    const key = partitionKey(offset);
    if (waiting.has(key)) throw new Error(`a second commit of ${key} before the first has its answer`);
    let giveUp = (): void => {};
    try {
      await new Promise<void>((resolve, reject) => {
        giveUp = () => {
          waiting.delete(key);
          reject(given.reason);
        };
        given.addEventListener('abort', giveUp, { once: true });
        waiting.set(key, { offset, resolve, reject });
        changed.notify();
      });
    } finally {
      given.removeEventListener('abort', giveUp);
    }
  };

  return {
    commit,
    pause: () => {
      member = undefined;
    },
    resume: (next) => {
      member = next;
      changed.notify();
    },
    done: run(),
  };
}
