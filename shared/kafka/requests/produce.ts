import type { KafkaRequest } from '../protocol.ts';
import { byTopic } from './by-topic.ts';

export interface ProducePartition {
  topic: string;
  partition: number;
  /** One finished RecordBatch; the broker takes exactly one batch for each partition of a request. */
  batch: Uint8Array;
}

export interface ProducedPartition {
  topic: string;
  partition: number;
  errorCode: number;
  /** Offset of the first record; of the original append when the broker recognised a duplicate. -1 when unknown. */
  baseOffset: number;
  logAppendTimeMs: number;
  logStartOffset: number;
}

export interface ProduceAnswer {
  partitions: ProducedPartition[];
  throttleMs: number;
}

/** A broker that has waited in vain for its replicas says so (REQUEST_TIMED_OUT): that answer must find somebody. */
const ANSWER_GRACE_MS = 2_000;

/**
 * Produce v7 (the first that takes zstd, KIP-110) with acks=all. `timeoutMs` is how long the broker waits for the in-sync
 * replicas, and the client hardly longer for the broker. Source: https://kafka.apache.org/protocol#The_Messages_Produce
 */
export function produceRequest(options: {
  partitions: readonly ProducePartition[];
  timeoutMs: number;
}): KafkaRequest<ProduceAnswer> {
  return {
    apiKey: 0,
    apiName: 'Produce',
    apiVersion: 7,
    timeoutMs: options.timeoutMs + ANSWER_GRACE_MS,
    encode: (writer) => {
      writer.nullableString(undefined).int16(-1).int32(options.timeoutMs);
      writer.array(byTopic(options.partitions), ([topic, partitions]) => {
        writer
          .string(topic)
          .array(partitions, ({ partition, batch }) => writer.int32(partition).bytes(batch));
      });
    },
    decode: (reader) => {
      const partitions = reader
        .array(() => {
          const topic = reader.string();
          return reader.array(() => ({
            topic,
            partition: reader.int32(),
            errorCode: reader.int16(),
            baseOffset: reader.int64(),
            logAppendTimeMs: reader.int64(),
            logStartOffset: reader.int64(),
          }));
        })
        .flat();
      return { partitions, throttleMs: reader.int32() };
    },
    throttleMs: (answer) => answer.throttleMs,
  };
}
