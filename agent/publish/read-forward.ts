/**
 * Reads one partition from a point in time up to where its log ends now. Only for recovery: a batch that may have been
 * appended is looked for before it is sent again.
 */
import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { type ErrorCode, isSkaldError, SkaldError } from '../../shared/errors.ts';
import type { KafkaCluster } from '../../shared/kafka/cluster.ts';
import { KafkaCode, kafkaError } from '../../shared/kafka/error-codes.ts';
import { fetchRequest, type FetchedPartition } from '../../shared/kafka/requests/fetch.ts';
import { EARLIEST, LATEST, listOffsetsRequest } from '../../shared/kafka/requests/list-offsets.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { type BatchHeader, readBatchHeader } from '../../shared/wire/record-batch.ts';
import { splitRecordSet } from '../../shared/wire/split-record-set.ts';
import type { TopicWatch } from './topic-view.ts';

export interface ReadForwardOptions {
  cluster: KafkaCluster;
  topicWatch: TopicWatch;
  partition: number;
  /** Nothing is looked for that has an earlier timestamp. */
  sinceMs: number;
  /** Nothing is looked for before this offset, when the partition holds there what `isThere` says. */
  hint: { offset: number; isThere(header: BatchHeader): boolean } | undefined;
  /** Where an earlier read of this log has ended that looked for the same; undefined when there was none. */
  readTo: number | undefined;
  /** Gets every batch, in order, until it returns true; `bytes` are a view of the answer. */
  onBatch(bytes: Uint8Array, header: BatchHeader): Promise<boolean>;
  budget: ReadBudget;
  clock: Clock;
  random: Random;
  logger: Logger;
  signal: AbortSignal;
}

/** What one recovery may read, over all of its partitions. Waiting for a leader costs nothing of it. */
export interface ReadBudget {
  bytesLeft: number;
  msLeft: number;
}

/**
 * More than an agent's partitions take in while it is down for minutes. A recovery that would need more goes without:
 * its batches may be in the topic twice then, which is counted.
 */
export function readBudget(): ReadBudget {
  return { bytesLeft: 4 * 1024 ** 3, msLeft: 5 * 60_000 };
}

/** Why a partition could not be read to its end; the batches that were seen until then were seen. */
export type Shortfall = string;

const FETCH_BYTES = 4 * 1024 * 1024;
const FETCH_WAIT_MS = 500;
const BACKOFF = { baseMs: 100, maxMs: 5_000 };
/** Between this machine's clock and a broker's, where the broker stamps the records (LogAppendTime). */
const CLOCKS_APART_MS = 60_000;
const PROGRESS_MS = 10_000;
/** A batch that cannot be unpacked now cannot be later. */
const DAMAGE: ReadonlySet<ErrorCode> = new Set(['WIRE_CORRUPT', 'WIRE_UNSUPPORTED', 'CODEC_FAILED']);
const DELETED = 'the broker has deleted records that had to be read';

export interface ReadForward {
  /** Why the partition was not read to its end; undefined when it was. */
  shortfall: Shortfall | undefined;
  /** Everything before this offset was seen; undefined when nothing was. */
  readTo: number | undefined;
}

/** Waits while the partition has no leader. Ends early when `signal` aborts. */
export async function readForward(options: ReadForwardOptions): Promise<ReadForward> {
  const { topicWatch, partition, budget, clock, random, logger, signal } = options;
  let position: number | undefined;
  let end: number | undefined;
  let failures = 0;
  let saidMs = clock.monotonicMs();
  const ended = (shortfall?: Shortfall): ReadForward => ({ shortfall, readTo: position });

  /** One step: learn the bounds, or read on. True when the end is reached. */
  const step = async (leader: number): Promise<boolean | Shortfall> => {
    end ??= await listOffset(options, leader, LATEST);
    if (position === undefined) {
      const start = await startOf(options, leader, end);
      // What was at the front of the log may be gone.
      if (start > 0 && start === (await listOffset(options, leader, EARLIEST))) return DELETED;
      position = start;
    }
    if (position >= end) return true;
    const sinceMs = clock.monotonicMs();
    const fetched = await fetchAt(options, leader, position, FETCH_BYTES);
    budget.msLeft -= clock.monotonicMs() - sinceMs;
    if (fetched === undefined) {
      if (position < (await listOffset(options, leader, EARLIEST))) return DELETED;
      end = Math.min(end, await listOffset(options, leader, LATEST));
      return position >= end;
    }
    budget.bytesLeft -= fetched.records.length;
    const before: number = position;
    for (const span of splitRecordSet(fetched.records).batches) {
      const header = readBatchHeader(fetched.records, span);
      if (header.lastOffset < position) continue;
      if (await options.onBatch(fetched.records, header)) return true;
      position = header.lastOffset + 1;
    }
    // A leader that came up short of the old one: what was beyond its end is not in the partition any more.
    if (position === before) end = Math.min(end, await listOffset(options, leader, LATEST));
    return position >= end;
  };

  while (!signal.aborted) {
    if (budget.bytesLeft <= 0 || budget.msLeft <= 0)
      return ended('there is more to read than a recovery may');
    const leader = topicWatch.view?.partitions.find((p) => p.partition === partition)?.leader ?? -1;
    if (leader === -1 && topicWatch.view?.partitions.every((p) => p.partition !== partition) === true) {
      return ended(); // a partition that is not there holds nothing
    }
    try {
      const done = leader === -1 ? false : await step(leader);
      if (done === true) return ended();
      if (typeof done === 'string') return ended(done);
      if (leader !== -1) failures = 0;
    } catch (error) {
      if (!isSkaldError(error)) throw error;
      if (DAMAGE.has(error.code)) return ended(error.message);
      if (error.code === 'KAFKA_REFUSED' && !error.retryable) return ended(error.message);
      failures += 1;
      logger.debug({ partition, err: error }, 'cannot read a partition back yet; trying again');
    }
    if (leader === -1 || failures > 0) {
      await clock.sleep(backoffMs(failures, BACKOFF, random), signal);
      if (!signal.aborted) await topicWatch.refresh();
    }
    if (clock.monotonicMs() - saidMs >= PROGRESS_MS) {
      saidMs = clock.monotonicMs();
      logger.info({ partition, offset: position, end }, 'reading a partition back for what was sent before');
    }
  }
  return ended('the agent stops');
}

type Asking = Pick<ReadForwardOptions, 'cluster' | 'topicWatch' | 'partition'>;

function refused(code: number, doing: string, { topicWatch, partition }: Asking): SkaldError {
  const { name, message, retriable } = kafkaError(code);
  return new SkaldError('KAFKA_REFUSED', `${doing}: ${name}, ${message}`, {
    retryable: retriable,
    where: { topic: topicWatch.topic, partition },
  });
}

/**
 * The first offset at or after a timestamp, -1 when there is none. Beyond the high watermark too: a batch that its
 * followers do not have yet will be read when they do.
 */
async function listOffset(asking: Asking, leader: number, timestamp: number): Promise<number> {
  const { topic } = asking.topicWatch;
  const request = listOffsetsRequest({
    isolation: 'read_uncommitted',
    logEnd: true,
    partitions: [{ topic, partition: asking.partition, timestamp }],
  });
  const [listed] = (await asking.cluster.send(leader, 'control', request)).partitions;
  if (listed === undefined)
    throw new SkaldError('KAFKA_PROTOCOL', 'The answer to ListOffsets names no partition.');
  if (listed.errorCode !== 0) throw refused(listed.errorCode, 'cannot ask for offsets', asking);
  return listed.offset;
}

/** Undefined when the offset is outside of the log. */
async function fetchAt(
  asking: Asking,
  leader: number,
  fetchOffset: number,
  maxBytes: number,
): Promise<FetchedPartition | undefined> {
  const { topic } = asking.topicWatch;
  const request = fetchRequest({
    partitions: [{ topic, partition: asking.partition, fetchOffset, maxBytes }],
    maxWaitMs: FETCH_WAIT_MS,
    minBytes: 1,
    maxBytes,
    isolation: 'read_uncommitted',
    rackId: '',
  });
  const [fetched] = (await asking.cluster.send(leader, 'fetch', request)).partitions;
  if (fetched === undefined)
    throw new SkaldError('KAFKA_PROTOCOL', 'The answer to Fetch names no partition.');
  if (fetched.errorCode === KafkaCode.OFFSET_OUT_OF_RANGE) return undefined;
  if (fetched.errorCode !== 0) throw refused(fetched.errorCode, 'cannot read the partition', asking);
  return fetched;
}

/** The later of two places before which there cannot be anything: one by time, one by the hint, if the log is still that one. */
async function startOf(options: ReadForwardOptions, leader: number, end: number): Promise<number> {
  const { sinceMs, hint, readTo } = options;
  if (readTo !== undefined && readTo <= end) return readTo;
  const byTime = await listOffset(options, leader, Math.max(0, sinceMs - CLOCKS_APART_MS));
  const start = byTime === -1 ? end : byTime;
  if (hint === undefined || hint.offset <= start || hint.offset >= end) return start;
  // A topic of the same name may have taken the place of the one that the hint is about.
  const fetched = await fetchAt(options, leader, hint.offset, 1);
  const [span] = splitRecordSet(fetched?.records ?? new Uint8Array(0)).batches;
  const header = span === undefined ? undefined : readBatchHeader(fetched!.records, span);
  return header?.baseOffset === hint.offset && hint.isThere(header) ? hint.offset : start;
}
