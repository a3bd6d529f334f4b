/** Partitions in memory, and how a broker answers a fetch of them. */
import type { Random } from '../../../shared/clock.ts';
import { KafkaCode } from '../../../shared/kafka/error-codes.ts';
import type {
  DivergingEpoch,
  FetchedPartition,
  FetchPartition,
} from '../../../shared/kafka/requests/fetch.ts';
import { encodeRecordBatch } from '../../../shared/wire/encode-records.ts';
import {
  ATTRIBUTES_AT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  RECORD_COUNT_AT,
  sealBatch,
} from '../../../shared/wire/record-batch.ts';
import { between } from '../support/random.ts';

const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

interface StoredBatch {
  baseOffset: number;
  lastOffset: number;
  bytes: Buffer;
  /** Of its records; a transaction's marker has none. */
  texts: string[];
}

export interface SimPartition {
  leader: number;
  leaderEpoch: number;
  /** Where each leader began to write, as brokers keep it (KIP-101). */
  epochs: { epoch: number; offset: number }[];
  batches: StoredBatch[];
  /** Kafka has deleted what was before. */
  logStart: number;
  /** Offset after the last record. */
  end: number;
}

/** What a record is for the one who checks: its text is unique. */
export interface ProducedRecord {
  text: string;
  timestampMs: number;
  /** Has no time in it, which some layouts refuse. */
  isPoison: boolean;
  /** By the world's clock. */
  appendedAtMs: number;
}

export function simPartition(leader: number): SimPartition {
  return { leader, leaderEpoch: 0, epochs: [{ epoch: 0, offset: 0 }], batches: [], logStart: 0, end: 0 };
}

/** A new leader, which may be the one of before. Source: Partition.makeLeader of Apache Kafka. */
export function elect(partition: SimPartition, leader: number): void {
  partition.leader = leader;
  partition.leaderEpoch += 1;
  partition.epochs.push({ epoch: partition.leaderEpoch, offset: partition.end });
}

/** As an unclean election does: a replica without what is from `offset` on becomes leader. Returns the texts that are gone. */
export function cutOff(partition: SimPartition, offset: number): string[] {
  const gone = dropBatches(partition, ({ lastOffset }) => lastOffset >= offset);
  partition.end = (partition.batches.at(-1)?.lastOffset ?? -1) + 1;
  partition.epochs = partition.epochs.filter((start) => start.offset < partition.end);
  elect(partition, partition.leader);
  return gone;
}

/**
 * Appends a batch, as a leader does: it gives the base offset. Now and then offsets are missing, as after
 * compaction.
 */
export async function append(
  partition: SimPartition,
  records: readonly ProducedRecord[],
  random: Random,
): Promise<void> {
  const inputs = records.map(({ text, timestampMs }) => ({ value: Buffer.from(text), timestampMs }));
  const bytes = Buffer.from(await encodeRecordBatch(inputs, { codec: 'none' }));
  const baseOffset = partition.end + (random() < 0.1 ? between(random, 1, 3) : 0);
  bytes.writeBigInt64BE(BigInt(baseOffset), 0);
  bytes.writeInt32BE(partition.leaderEpoch, LEADER_EPOCH_AT);
  const lastOffset = baseOffset + records.length - 1;
  partition.batches.push({ baseOffset, lastOffset, bytes, texts: records.map(({ text }) => text) });
  partition.end = lastOffset + 1;
  if (random() < 0.1) appendMarker(partition, bytes);
}

/** The end of a transaction: a batch that takes an offset and holds nothing to carry. */
function appendMarker(partition: SimPartition, like: Buffer): void {
  const bytes = Buffer.from(like);
  bytes.writeBigInt64BE(BigInt(partition.end), 0);
  bytes.writeInt16BE(CONTROL | TRANSACTIONAL, ATTRIBUTES_AT);
  bytes.writeInt32BE(0, LAST_OFFSET_DELTA_AT);
  bytes.writeInt32BE(1, RECORD_COUNT_AT);
  sealBatch(bytes, { producerId: -1n, producerEpoch: -1, baseSequence: -1 });
  partition.batches.push({ baseOffset: partition.end, lastOffset: partition.end, bytes, texts: [] });
  partition.end += 1;
}

/** As compaction does: any batches but the last are gone, and what had their offsets is a gap. Returns the texts that are gone. */
export function compact(partition: SimPartition, share: number, random: Random): string[] {
  const last = partition.batches.at(-1);
  return dropBatches(partition, (batch) => batch !== last && random() < share);
}

/**
 * As retention and DeleteRecords do: the log begins at `offset` from now on, which may be inside of a batch.
 * Returns the texts that are gone.
 */
export function deleteBefore(partition: SimPartition, offset: number): string[] {
  partition.logStart = offset;
  const gone = dropBatches(partition, ({ lastOffset }) => lastOffset < offset);
  const first = partition.batches[0];
  return first === undefined
    ? gone
    : [...gone, ...first.texts.splice(0, Math.max(0, offset - first.baseOffset))];
}

function dropBatches(partition: SimPartition, isGone: (batch: StoredBatch) => boolean): string[] {
  const gone = partition.batches.filter(isGone);
  partition.batches = partition.batches.filter((batch) => !gone.includes(batch));
  return gone.flatMap(({ texts }) => texts);
}

/**
 * The partition's part of an answer: whole batches from the one that holds the offset, up to maxBytes but at
 * least one.
 */
export function answerFetch(
  partition: SimPartition,
  asked: FetchPartition,
  sendTo: number,
): FetchedPartition {
  const { topic, partition: number, fetchOffset, maxBytes } = asked;
  const base = {
    topic,
    partition: number,
    highWatermark: partition.end,
    lastStableOffset: partition.end,
    logStartOffset: partition.logStart,
    abortedTransactions: [],
  };
  const empty = Buffer.alloc(0);
  const diverging = fetchOffset < partition.logStart ? undefined : divergingEpoch(partition, asked);
  if (diverging !== undefined)
    return { ...base, errorCode: 0, preferredReadReplica: -1, divergingEpoch: diverging, records: empty };
  if (fetchOffset > partition.end || fetchOffset < partition.logStart) {
    return { ...base, errorCode: KafkaCode.OFFSET_OUT_OF_RANGE, preferredReadReplica: -1, records: empty };
  }
  if (sendTo >= 0) return { ...base, errorCode: 0, preferredReadReplica: sendTo, records: empty };
  const first = partition.batches.findIndex((batch) => batch.lastOffset >= fetchOffset);
  const taken: Buffer[] = [];
  let bytes = 0;
  for (const batch of first < 0 ? [] : partition.batches.slice(first)) {
    if (taken.length > 0 && bytes + batch.bytes.length > maxBytes) break;
    taken.push(batch.bytes);
    bytes += batch.bytes.length;
  }
  return { ...base, errorCode: 0, preferredReadReplica: -1, records: Buffer.concat(taken) };
}

/** Source: Partition.readRecords and LeaderEpochFileCache.endOffsetFor of Apache Kafka. */
function divergingEpoch(
  { epochs, end }: SimPartition,
  { fetchOffset, lastFetchedEpoch = -1 }: FetchPartition,
): DivergingEpoch | undefined {
  if (lastFetchedEpoch < 0) return undefined;
  const endOffset = epochs.find((start) => start.epoch > lastFetchedEpoch)?.offset ?? end;
  const epoch = epochs.findLast((start) => start.epoch <= lastFetchedEpoch)?.epoch ?? lastFetchedEpoch;
  return epoch < lastFetchedEpoch || endOffset < fetchOffset ? { epoch, endOffset } : undefined;
}
