/**
 * What members and the leader of a consumer group tell each other inside JoinGroup and SyncGroup: the embedded "consumer"
 * protocol, so that Kafka's own tools (`kafka-consumer-groups --describe`) can show the assignment.
 * Source: ConsumerProtocolSubscription.json and ConsumerProtocolAssignment.json of Apache Kafka; version 3 has the rack (KIP-881).
 */
import { ProtocolReader, ProtocolWriter } from './protocol.ts';
import { byTopic } from './requests/by-topic.ts';

export interface TopicPartition {
  topic: string;
  partition: number;
}

export interface Subscription {
  topics: string[];
  /** What the member had before this rebalance; lets the assigner move as little as possible. */
  owned: TopicPartition[];
  rack: string | undefined;
  /** Whatever else the member wants to say. */
  userData?: string | undefined;
}

export interface Assignment {
  partitions: TopicPartition[];
  /** Whatever else the leader wants to say; undefined when nothing. */
  userData?: string | undefined;
}

const SUBSCRIPTION_VERSION = 3;
const ASSIGNMENT_VERSION = 0;

function writePartitions(writer: ProtocolWriter, partitions: readonly TopicPartition[]): void {
  writer.array(byTopic(partitions), ([topic, items]) => {
    writer.string(topic).array(items, ({ partition }) => writer.int32(partition));
  });
}

function readPartitions(reader: ProtocolReader): TopicPartition[] {
  return reader
    .array(() => {
      const topic = reader.string();
      return reader.array(() => ({ topic, partition: reader.int32() }));
    })
    .flat();
}

/** Null, of length -1, when there is none. */
function writeUserData(writer: ProtocolWriter, userData: string | undefined): void {
  if (userData === undefined) writer.int32(-1);
  else writer.bytes(Buffer.from(userData));
}

function readUserData(reader: ProtocolReader): string | undefined {
  const bytes = reader.bytes();
  return bytes.length === 0 ? undefined : bytes.toString();
}

export function encodeSubscription(subscription: Subscription): Buffer {
  const writer = new ProtocolWriter();
  writer.int16(SUBSCRIPTION_VERSION).array(subscription.topics, (topic) => writer.string(topic));
  writeUserData(writer, subscription.userData);
  writePartitions(writer, subscription.owned);
  writer.int32(-1).nullableString(subscription.rack); // generation id: not used, offsets tell who is right
  return writer.finish();
}

/** Reads versions 0 to 3 and, as the format promises, the known fields of later ones. */
export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = new ProtocolReader(bytes);
  const version = reader.int16();
  const topics = reader.array(() => reader.string());
  const userData = readUserData(reader);
  const owned = version >= 1 ? readPartitions(reader) : [];
  if (version >= 2) reader.int32();
  return { topics, owned, rack: version >= 3 ? reader.nullableString() : undefined, userData };
}

export function encodeAssignment({ partitions, userData }: Assignment): Buffer {
  const writer = new ProtocolWriter();
  writer.int16(ASSIGNMENT_VERSION);
  writePartitions(writer, partitions);
  writeUserData(writer, userData);
  return writer.finish();
}

/** No bytes are what a member gets that the leader did not know of: no partitions. */
export function decodeAssignment(bytes: Buffer): Assignment {
  if (bytes.length === 0) return { partitions: [] };
  const reader = new ProtocolReader(bytes);
  reader.int16();
  return { partitions: readPartitions(reader), userData: readUserData(reader) };
}
