import type { KafkaRequest } from '../protocol.ts';
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
  /** Raw record set, a view of the answer. The last batch may be cut off. */
  records: Uint8Array;
}

export interface FetchAnswer {
  throttleMs: number;
  errorCode: number;
  partitions: FetchedPartition[];
}

/** Fetch v11 without a fetch session (KIP-227), with the client's rack (KIP-392). Source: https://kafka.apache.org/protocol#The_Messages_Fetch */
export function fetchRequest(options: {
  partitions: readonly FetchPartition[];
  maxWaitMs: number;
  minBytes: number;
  maxBytes: number;
  isolation: Isolation;
  /** The client's rack; an empty string asks for the leader. */
  rackId: string;
}): KafkaRequest<FetchAnswer> {
  return {
    apiKey: 1,
    apiName: 'Fetch',
    apiVersion: 11,
    holdMs: options.maxWaitMs,
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
