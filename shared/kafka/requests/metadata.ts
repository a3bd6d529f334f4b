import type { KafkaRequest } from '../protocol.ts';

export interface BrokerInfo {
  nodeId: number;
  host: string;
  port: number;
  /** `broker.rack` of the broker (KIP-36); undefined when it has none. */
  rack: string | undefined;
}

export interface PartitionInfo {
  topic: string;
  partition: number;
  /** Node id of the leader, -1 when there is none. */
  leader: number;
  leaderEpoch: number;
  replicas: number[];
  inSyncReplicas: number[];
  offlineReplicas: number[];
  errorCode: number;
}

export interface TopicInfo {
  topic: string;
  errorCode: number;
  /** Ordered by partition number. */
  partitions: PartitionInfo[];
}

export interface MetadataAnswer {
  clusterId: string;
  controllerId: number;
  brokers: BrokerInfo[];
  topics: TopicInfo[];
}

/** Metadata v7 (leader epochs by KIP-320). Never creates a topic. Source: https://kafka.apache.org/protocol#The_Messages_Metadata */
export function metadataRequest(topics: readonly string[]): KafkaRequest<MetadataAnswer> {
  return {
    apiKey: 3,
    apiName: 'Metadata',
    apiVersion: 7,
    encode: (writer) => {
      writer.array(topics, (topic) => writer.string(topic)).boolean(false);
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      const brokers = reader.array(() => ({
        nodeId: reader.int32(),
        host: reader.string(),
        port: reader.int32(),
        rack: reader.nullableString(),
      }));
      const clusterId = reader.string();
      const controllerId = reader.int32();
      const answered = reader.array((): TopicInfo => {
        const errorCode = reader.int16();
        const topic = reader.string();
        reader.boolean(); // is internal
        const partitions = reader.array((): PartitionInfo => {
          const partitionError = reader.int16();
          return {
            topic,
            errorCode: partitionError,
            partition: reader.int32(),
            leader: reader.int32(),
            leaderEpoch: reader.int32(),
            replicas: reader.array(() => reader.int32()),
            inSyncReplicas: reader.array(() => reader.int32()),
            offlineReplicas: reader.array(() => reader.int32()),
          };
        });
        return { topic, errorCode, partitions: partitions.sort((a, b) => a.partition - b.partition) };
      });
      return { clusterId, controllerId, brokers, topics: answered };
    },
  };
}
