/** A Kafka cluster in memory, three brokers in three racks, that speaks the bytes of the real requests. */
import type { Random } from '../../../shared/clock.ts';
import type { KafkaCluster } from '../../../shared/kafka/cluster.ts';
import { KafkaCode } from '../../../shared/kafka/error-codes.ts';
import { type KafkaRequest, ProtocolReader, ProtocolWriter } from '../../../shared/kafka/protocol.ts';
import type { BrokerInfo } from '../../../shared/kafka/requests/metadata.ts';
import type { ProcessLife } from './process-life.ts';
import type { SimClock } from './sim-clock.ts';
import { type NetworkFaults, type NetworkState, simClient } from './sim-network.ts';
import { type Appended, type SimPartition, simPartition } from './sim-partition.ts';

export interface Faults extends NetworkFaults {
  /** Share of produce requests that the broker refuses with one of `refusalCodes`. */
  refusals: number;
  refusalCodes?: readonly number[];
  /** InitProducerId is answered COORDINATOR_LOAD_IN_PROGRESS. */
  coordinatorLoading?: boolean;
}

export interface SimBroker {
  readonly partitions: readonly SimPartition[];
  /** What topics of the same name held that were deleted. */
  readonly deleted: readonly SimPartition[];
  readonly faults: Faults;
  readonly network: NetworkState;
  /** The topic's max.message.bytes. */
  maxMessageBytes: number;
  /** Moves the leader of a partition to another broker, or takes it away (-1). */
  moveLeader(partition: number, leader: number): void;
  addPartition(): void;
  /** Deletes the topic. */
  deleteTopic(): void;
  /** Creates it again, empty. */
  recreateTopic(partitions: number): void;
  /** Forgets every producer, as after producer.id.expiration.ms. */
  forgetProducers(): void;
  client(life: ProcessLife): KafkaCluster;
}

/** Batches in one answer to Fetch: few, so that reading on is part of the simulation. */
const FETCHED_BATCHES = 3;

const RACKS = ['rack-a', 'rack-b', 'rack-c'];

const REQUEST_TIMED_OUT = 7;
const NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20;
/** Refusals that came after the append: the broker has the batch, and says that it failed. */
const APPENDED_CODES: readonly number[] = [REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND];

export function simBroker(options: {
  topic: string;
  partitions: number;
  clock: SimClock;
  random: Random;
}): SimBroker {
  const { topic, clock, random } = options;
  const brokers = new Map<number, BrokerInfo>(
    RACKS.map((rack, i) => [i + 1, { nodeId: i + 1, host: `broker-${i + 1}`, port: 9092, rack }]),
  );
  const newPartition = (p: number): SimPartition => simPartition((p % brokers.size) + 1, clock);
  let partitions = Array.from({ length: options.partitions }, (_, p) => newPartition(p));
  const deleted: SimPartition[] = [];
  const faults: Faults = { lostRequests: 0, lostAnswers: 0, refusals: 0 };
  const network: NetworkState = { down: new Set(), hanging: new Set(), delayMs: 0 };
  let nextProducerId = 1000n;

  const append = async (
    nodeId: number,
    partition: SimPartition | undefined,
    bytes: Buffer,
  ): Promise<Appended> => {
    const refuse = (errorCode: number): Appended => ({ errorCode, baseOffset: -1 });
    const { refusalCodes = [KafkaCode.NOT_ENOUGH_REPLICAS] } = faults;
    const refusal =
      random() < faults.refusals ? refusalCodes[Math.floor(random() * refusalCodes.length)] : undefined;
    if (partition === undefined) return refuse(KafkaCode.UNKNOWN_TOPIC_OR_PARTITION);
    if (partition.leader !== nodeId) return refuse(KafkaCode.NOT_LEADER_OR_FOLLOWER);
    if (bytes.length > broker.maxMessageBytes) return refuse(KafkaCode.MESSAGE_TOO_LARGE);
    if (refusal === undefined) return partition.append(bytes);
    if (APPENDED_CODES.includes(refusal)) await partition.append(bytes);
    return refuse(refusal);
  };

  const produce = async (nodeId: number, request: ProtocolReader): Promise<ProtocolWriter> => {
    request.nullableString();
    request.int16();
    request.int32();
    const asked = request.array(
      () => [request.string(), request.array(() => [request.int32(), request.bytes()] as const)] as const,
    );
    const [index, bytes] = asked[0]![1][0]!;
    const result = await append(nodeId, partitions[index], bytes);
    return new ProtocolWriter()
      .array([0], () => {})
      .string(topic)
      .array([0], () => {})
      .int32(index)
      .int16(result.errorCode)
      .int64(result.baseOffset)
      .int64(-1)
      .int64(0)
      .int32(0);
  };

  /** Partition and asked number of the one partition in a request of ListOffsets or Fetch, whose layouts agree so far. */
  const askedOf = (request: ProtocolReader): { index: number; asked: number } => {
    const asked = request.array(() => {
      request.string();
      return request.array(() => {
        const index = request.int32();
        request.int32(); // leader epoch
        return { index, asked: request.int64() };
      })[0]!;
    });
    return asked[0]!;
  };

  /** The first offset at or after a timestamp; of the special ones only LATEST (-1) is asked for. */
  const listOffsets = (nodeId: number, request: ProtocolReader): ProtocolWriter => {
    request.int32(); // replica id
    request.int8();
    const { index, asked: timestampMs } = askedOf(request);
    const partition = partitions[index];
    const found = partition?.batches.find((batch) => batch.maxTimestampMs >= timestampMs);
    const offset = timestampMs === -1 ? (partition?.values.length ?? -1) : (found?.baseOffset ?? -1);
    const answer = new ProtocolWriter().int32(0);
    answer
      .array([0], () => {})
      .string(topic)
      .array([0], () => {});
    return answer.int32(index).int16(errorAt(nodeId, partition)).int64(-1).int64(offset).int32(0);
  };

  const fetch = (nodeId: number, request: ProtocolReader): ProtocolWriter => {
    for (let i = 0; i < 4; i += 1) request.int32(); // replica id, longest wait, least and most bytes
    request.int8();
    request.int32(); // session id and epoch
    request.int32();
    const { index, asked: offset } = askedOf(request);
    const partition = partitions[index];
    const end = partition?.values.length ?? -1;
    const errorCode = offset > end ? KafkaCode.OFFSET_OUT_OF_RANGE : errorAt(nodeId, partition);
    const behind = partition?.batches.filter((batch) => batch.lastOffset >= offset) ?? [];
    const records = errorCode === KafkaCode.NONE ? behind.slice(0, FETCHED_BATCHES) : [];
    const answer = new ProtocolWriter().int32(0).int16(0).int32(0);
    answer
      .array([0], () => {})
      .string(topic)
      .array([0], () => {});
    answer.int32(index).int16(errorCode).int64(end).int64(end).int64(0);
    return answer
      .array([], () => {})
      .int32(-1)
      .bytes(Buffer.concat(records.map(({ bytes }) => bytes)));
  };

  const errorAt = (nodeId: number, partition: SimPartition | undefined): number => {
    if (partition === undefined) return KafkaCode.UNKNOWN_TOPIC_OR_PARTITION;
    return partition.leader === nodeId ? KafkaCode.NONE : KafkaCode.NOT_LEADER_OR_FOLLOWER;
  };

  const metadata = (): ProtocolWriter => {
    const writer = new ProtocolWriter().int32(0);
    const alive = [...brokers.values()].filter(({ nodeId }) => !network.down.has(nodeId));
    writer.array(alive, (b) => writer.int32(b.nodeId).string(b.host).int32(b.port).nullableString(b.rack));
    writer
      .string('sim')
      .int32(1)
      .array([0], () => {})
      .int16(partitions.length === 0 ? KafkaCode.UNKNOWN_TOPIC_OR_PARTITION : KafkaCode.NONE)
      .string(topic)
      .boolean(false);
    writer.array([...partitions.entries()], ([index, p]) => {
      const code = p.leader === -1 ? KafkaCode.LEADER_NOT_AVAILABLE : KafkaCode.NONE;
      writer.int16(code).int32(index).int32(p.leader).int32(0);
      writer
        .array([1, 2, 3], (id) => writer.int32(id))
        .array([1, 2, 3], (id) => writer.int32(id))
        .array([], () => {});
    });
    return writer;
  };

  const initProducerId = (): ProtocolWriter => {
    const code = faults.coordinatorLoading === true ? KafkaCode.COORDINATOR_LOAD_IN_PROGRESS : KafkaCode.NONE;
    const id = code === KafkaCode.NONE ? Number((nextProducerId += 1n)) : -1;
    return new ProtocolWriter().int32(0).int16(code).int64(id).int16(0);
  };

  const describeConfigs = (): ProtocolWriter => {
    const writer = new ProtocolWriter().int32(0);
    writer
      .array([0], () => {})
      .int16(0)
      .nullableString(undefined)
      .int8(2)
      .string(topic);
    writer
      .array([0], () => {})
      .string('max.message.bytes')
      .nullableString(String(broker.maxMessageBytes));
    return writer
      .boolean(false)
      .int8(5)
      .boolean(false)
      .array([], () => {});
  };

  const answer = async <T>(nodeId: number, request: KafkaRequest<T>, bytes: Buffer): Promise<T> => {
    const answers: Record<string, () => ProtocolWriter | Promise<ProtocolWriter>> = {
      Produce: () => produce(nodeId, new ProtocolReader(bytes)),
      Metadata: metadata,
      InitProducerId: initProducerId,
      DescribeConfigs: describeConfigs,
      ListOffsets: () => listOffsets(nodeId, new ProtocolReader(bytes)),
      Fetch: () => fetch(nodeId, new ProtocolReader(bytes)),
    };
    const written = await answers[request.apiName]!();
    return request.decode(new ProtocolReader(written.finish()));
  };

  const broker: SimBroker = {
    get partitions() {
      return partitions;
    },
    deleted,
    faults,
    network,
    maxMessageBytes: 1_048_588,
    moveLeader: (partition, leader) => {
      const moved = partitions[partition];
      if (moved !== undefined) moved.leader = leader;
    },
    addPartition: () => {
      if (partitions.length > 0) partitions.push(newPartition(partitions.length));
    },
    deleteTopic: () => {
      deleted.push(...partitions);
      partitions = [];
    },
    recreateTopic: (count) => {
      partitions = Array.from({ length: count }, (_, p) => newPartition(p));
    },
    forgetProducers: () => {
      for (const partition of partitions) partition.forgetProducers();
    },
    client: (life) =>
      simClient({ brokers: [...brokers.keys()], answer, faults, network, clock, random, life }),
  };
  return broker;
}
