import type { KafkaRequest } from '../protocol.ts';
import { byTopic } from './by-topic.ts';
import { type Isolation, isolationLevel } from './fetch.ts';

/** Special timestamps of ListOffsets. */
export const LATEST = -1;
export const EARLIEST = -2;

export interface ListedOffset {
  topic: string;
  partition: number;
  errorCode: number;
  /** -1 when no record is at or after the asked timestamp. */
  offset: number;
  timestampMs: number;
}

/** Replica ids of those who are no replica (ListOffsetsRequest and FetchRequest of Apache Kafka). */
const CONSUMER = -1;
const DEBUGGING_CONSUMER = -2;

/** ListOffsets v5; must go to each partition's leader. Source: https://kafka.apache.org/protocol#The_Messages_ListOffsets */
export function listOffsetsRequest(options: {
  isolation: Isolation;
  /** Up to the end of the leader's log, not of what consumers see of it; `isolation` is not looked at. */
  logEnd?: boolean;
  partitions: readonly { topic: string; partition: number; timestamp: number }[];
}): KafkaRequest<{ partitions: ListedOffset[] }> {
  return {
    apiKey: 2,
    apiName: 'ListOffsets',
    apiVersion: 5,
    encode: (writer) => {
      writer
        .int32(options.logEnd === true ? DEBUGGING_CONSUMER : CONSUMER)
        .int8(isolationLevel(options.isolation));
      writer.array(byTopic(options.partitions), ([topic, partitions]) => {
        writer.string(topic).array(partitions, (p) => writer.int32(p.partition).int32(-1).int64(p.timestamp));
      });
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      const partitions = reader
        .array(() => {
          const topic = reader.string();
          return reader.array(() => {
            const listed = {
              topic,
              partition: reader.int32(),
              errorCode: reader.int16(),
              timestampMs: reader.int64(),
              offset: reader.int64(),
            };
            reader.int32(); // leader epoch
            return listed;
          });
        })
        .flat();
      return { partitions };
    },
  };
}
