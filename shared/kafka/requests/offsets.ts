/** OffsetCommit v7 and OffsetFetch v5. Source: https://kafka.apache.org/protocol#The_Messages_OffsetCommit */
import type { KafkaRequest } from '../protocol.ts';
import { byTopic } from './by-topic.ts';
import type { MemberRef } from './group.ts';

export interface OffsetToCommit {
  topic: string;
  partition: number;
  offset: number;
  /** At most the broker's `offset.metadata.max.bytes`, 4,096 by default. */
  metadata: string;
}

export interface PartitionError {
  topic: string;
  partition: number;
  errorCode: number;
}

export function offsetCommitRequest(
  options: MemberRef & { generationId: number; offsets: readonly OffsetToCommit[] },
): KafkaRequest<PartitionError[]> {
  return {
    apiKey: 8,
    apiName: 'OffsetCommit',
    apiVersion: 7,
    encode: (writer) => {
      writer.string(options.groupId).int32(options.generationId);
      writer.string(options.memberId).nullableString(options.groupInstanceId);
      writer.array(byTopic(options.offsets), ([topic, offsets]) => {
        writer.string(topic).array(offsets, (o) => {
          writer.int32(o.partition).int64(o.offset).int32(-1).nullableString(o.metadata);
        });
      });
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      return reader
        .array(() => {
          const topic = reader.string();
          return reader.array(() => ({ topic, partition: reader.int32(), errorCode: reader.int16() }));
        })
        .flat();
    },
  };
}

export interface CommittedOffset {
  topic: string;
  partition: number;
  /** -1 when the group has never committed for this partition. */
  offset: number;
  metadata: string;
  errorCode: number;
}

export function offsetFetchRequest(options: {
  groupId: string;
  partitions: readonly { topic: string; partition: number }[];
}): KafkaRequest<{ errorCode: number; offsets: CommittedOffset[] }> {
  return {
    apiKey: 9,
    apiName: 'OffsetFetch',
    apiVersion: 5,
    encode: (writer) => {
      writer.string(options.groupId);
      writer.array(byTopic(options.partitions), ([topic, partitions]) => {
        writer.string(topic).array(partitions, ({ partition }) => writer.int32(partition));
      });
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      const offsets = reader
        .array(() => {
          const topic = reader.string();
          return reader.array((): CommittedOffset => {
            const partition = reader.int32();
            const offset = reader.int64();
            reader.int32(); // leader epoch
            return { topic, partition, offset, metadata: reader.string(), errorCode: reader.int16() };
          });
        })
        .flat();
      return { errorCode: reader.int16(), offsets };
    },
  };
}
