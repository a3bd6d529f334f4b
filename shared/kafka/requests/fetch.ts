import type { KafkaRequest, ProtocolReader } from '../protocol.ts';
import { byTopic } from './by-topic.ts';

export type Isolation = 'read_committed' | 'read_uncommitted';

/** Kafka's wire value of an isolation level (KIP-98). */
export function isolationLevel(isolation: Isolation): number {
  return isolation === 'read_committed' ? 1 : 0;
}

export interface FetchPartition {
  topic: string;
  partition: number;
  fetchOffset: number;
  /** Soft bound on the bytes of this partition: the first batch comes whole even when it is larger (KIP-74). */
  maxBytes: number;
  /** From metadata; lets the broker refuse a fetch at a stale leader (KIP-320). -1 or absent: not checked. */
  leaderEpoch?: number;
  /**
   * Epoch of the leader that wrote the record before `fetchOffset`. The broker then says where its log parts from
   * what was fetched (KIP-595). -1 or absent: not checked; nor by brokers before 3.1.
   */
  lastFetchedEpoch?: number | undefined;
  /** Fetches from the topic of this id and no other of its name (KIP-516); only if all partitions of a request have one. */
  topicId?: string | undefined;
}

/** The log of the broker parts from what was fetched: of this epoch and those before it, it has what is below the offset. */
export interface DivergingEpoch {
  epoch: number;
  endOffset: number;
}

export interface FetchedPartition {
  topic: string;
  partition: number;
  errorCode: number;
  highWatermark: number;
  lastStableOffset: number;
  logStartOffset: number;
  /** Producers whose transactional batches from `firstOffset` on were aborted; only with read_committed. */
  abortedTransactions: { producerId: bigint; firstOffset: number }[];
  /** Node id of the replica to fetch from instead (KIP-392), -1 when there is none. */
  preferredReadReplica: number;
  /** Set when the log is not the one that `lastFetchedEpoch` is of; without records then. */
  divergingEpoch?: DivergingEpoch | undefined;
  /** Raw record set, a view of the answer. The last batch may be cut off. */
  records: Uint8Array;
}

export interface FetchAnswer {
  throttleMs: number;
  errorCode: number;
  partitions: FetchedPartition[];
}

export interface FetchRequestOptions {
  partitions: readonly FetchPartition[];
  maxWaitMs: number;
  minBytes: number;
  maxBytes: number;
  isolation: Isolation;
  /** The client's rack; an empty string asks for the leader. */
  rackId: string;
}

/**
 * Fetch v11 without a fetch session (KIP-227), with the client's rack (KIP-392); v13, by topic id, where it is known.
 * Source: https://kafka.apache.org/protocol#The_Messages_Fetch
 */
export function fetchRequest(options: FetchRequestOptions): KafkaRequest<FetchAnswer> {
  return {
    apiKey: 1,
    apiName: 'Fetch',
    apiVersion: 11,
    holdMs: options.maxWaitMs,
    newer: options.partitions.every(({ topicId }) => topicId !== undefined) ? fetchById(options) : undefined,
    encode: (writer) => {
      writer.int32(-1).int32(options.maxWaitMs).int32(options.minBytes).int32(options.maxBytes);
      writer.int8(isolationLevel(options.isolation)).int32(0).int32(-1);
      writer.array(byTopic(options.partitions), ([topic, partitions]) => {
        writer.string(topic).array(partitions, (p) => {
          writer.int32(p.partition).int32(p.leaderEpoch ?? -1);
          writer.int64(p.fetchOffset).int64(-1).int32(p.maxBytes);
        });
      });
      writer.array([], () => {}).string(options.rackId);
    },
    decode: (reader) => {
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      reader.int32(); // session id
      const partitions = reader
        .array(() => {
          const topic = reader.string();
          return reader.array((): FetchedPartition => ({
            topic,
            partition: reader.int32(),
            errorCode: reader.int16(),
            highWatermark: reader.int64(),
            lastStableOffset: reader.int64(),
            logStartOffset: reader.int64(),
            abortedTransactions: reader.array(() => ({
              producerId: reader.bigint64(),
              firstOffset: reader.int64(),
            })),
            preferredReadReplica: reader.int32(),
            records: reader.bytes(),
          }));
        })
        .flat();
      return { throttleMs, errorCode, partitions };
    },
    throttleMs: (answer) => answer.throttleMs,
  };
}

function fetchById(options: FetchRequestOptions): KafkaRequest<FetchAnswer> {
  const nameOf = new Map(options.partitions.map(({ topicId, topic }) => [topicId, topic]));
  return {
    apiKey: 1,
    apiName: 'Fetch',
    apiVersion: 13,
    holdMs: options.maxWaitMs,
    encode: (writer) => {
      writer.noTags(); // of the header
      writer.int32(-1).int32(options.maxWaitMs).int32(options.minBytes).int32(options.maxBytes);
      writer.int8(isolationLevel(options.isolation)).int32(0).int32(-1);
      writer.compactArray(byTopic(options.partitions), ([, partitions]) => {
        writer.uuid(partitions[0]!.topicId).compactArray(partitions, (p) => {
          writer
            .int32(p.partition)
            .int32(p.leaderEpoch ?? -1)
            .int64(p.fetchOffset);
          writer
            .int32(p.lastFetchedEpoch ?? -1)
            .int64(-1)
            .int32(p.maxBytes)
            .noTags();
        });
        writer.noTags();
      });
      writer
        .compactArray([], () => {})
        .compactString(options.rackId)
        .noTags();
    },
    decode: (reader) => {
      reader.tags(); // of the header
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      reader.int32(); // session id
      const partitions = reader.compactArray(() => {
        const topic = nameOf.get(reader.uuid()) ?? '';
        const answered = reader.compactArray(() => fetchedPartition(reader, topic));
        reader.tags();
        return answered;
      });
      reader.tags();
      return { throttleMs, errorCode, partitions: partitions.flat() };
    },
    throttleMs: (answer) => answer.throttleMs,
  };
}

function fetchedPartition(reader: ProtocolReader, topic: string): FetchedPartition {
  const fetched: FetchedPartition = {
    topic,
    partition: reader.int32(),
    errorCode: reader.int16(),
    highWatermark: reader.int64(),
    lastStableOffset: reader.int64(),
    logStartOffset: reader.int64(),
    abortedTransactions: reader.compactArray(() => {
      const aborted = { producerId: reader.bigint64(), firstOffset: reader.int64() };
      reader.tags();
      return aborted;
    }),
    preferredReadReplica: reader.int32(),
    records: reader.compactBytes(),
  };
  reader.tags((tag) => {
    if (tag === DIVERGING_EPOCH_TAG) fetched.divergingEpoch = divergingEpoch(reader);
  });
  return fetched;
}

const DIVERGING_EPOCH_TAG = 0;

function divergingEpoch(reader: ProtocolReader): DivergingEpoch {
  const diverging = { epoch: reader.int32(), endOffset: reader.int64() };
  reader.tags();
  return diverging;
}
