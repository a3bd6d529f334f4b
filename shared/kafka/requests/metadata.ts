import type { KafkaRequest, ProtocolReader } from '../protocol.ts';

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
  /** Another one when the topic is deleted and made anew (KIP-516); undefined from brokers before 2.8. */
  topicId?: string | undefined;
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

/** Metadata v7 (leader epochs by KIP-320), v10 (topic ids by KIP-516) where it is known. Never creates a topic. Source: https://kafka.apache.org/protocol#The_Messages_Metadata */
export function metadataRequest(topics: readonly string[]): KafkaRequest<MetadataAnswer> {
  return {
    apiKey: 3,
    apiName: 'Metadata',
    apiVersion: 7,
    newer: metadataWithIds(topics),
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

function metadataWithIds(topics: readonly string[]): KafkaRequest<MetadataAnswer> {
  return {
    apiKey: 3,
    apiName: 'Metadata',
    apiVersion: 10,
    encode: (writer) => {
      writer.noTags(); // of the header
      writer.compactArray(topics, (topic) => writer.uuid(undefined).compactString(topic).noTags());
      writer.boolean(false).boolean(false).boolean(false).noTags();
    },
    decode: (reader) => {
      reader.tags(); // of the header
      reader.int32(); // throttle time
      const brokers = reader.compactArray(() => {
        const nodeId = reader.int32();
        const host = reader.compactString() ?? '';
        const port = reader.int32();
        const rack = reader.compactString();
        reader.tags();
        return { nodeId, host, port, rack };
      });
      const clusterId = reader.compactString() ?? '';
      const controllerId = reader.int32();
      const answered = reader.compactArray(() => topicWithId(reader));
      reader.int32(); // authorized operations
      reader.tags();
      return { clusterId, controllerId, brokers, topics: answered };
    },
  };
}

function topicWithId(reader: ProtocolReader): TopicInfo {
  const errorCode = reader.int16();
  const topic = reader.compactString() ?? '';
  const topicId = reader.uuid();
  reader.boolean(); // is internal
  const partitions = reader.compactArray((): PartitionInfo => {
    const partitionError = reader.int16();
    const info = {
      topic,
      errorCode: partitionError,
      partition: reader.int32(),
      leader: reader.int32(),
      leaderEpoch: reader.int32(),
      replicas: reader.compactArray(() => reader.int32()),
      inSyncReplicas: reader.compactArray(() => reader.int32()),
      offlineReplicas: reader.compactArray(() => reader.int32()),
    };
    reader.tags();
    return info;
  });
  reader.int32(); // authorized operations
  reader.tags();
  return { topic, topicId, errorCode, partitions: partitions.sort((a, b) => a.partition - b.partition) };
}
