/**
 * A Kafka cluster in memory that speaks the bytes of the real requests and follows the broker's own rules for
 * idempotent producers: the last five batches of a producer id in a partition are remembered with their offsets.
 * Source: ProducerAppendInfo and ProducerStateEntry of Apache Kafka.
 */
import { SkaldError } from '../../../shared/errors.ts';
import type { KafkaCluster } from '../../../shared/kafka/cluster.ts';
import { KafkaCode } from '../../../shared/kafka/error-codes.ts';
import { type KafkaRequest, ProtocolReader, ProtocolWriter } from '../../../shared/kafka/protocol.ts';
import { type BrokerInfo, metadataRequest } from '../../../shared/kafka/requests/metadata.ts';
import { decodeRecords } from '../../../shared/wire/decode-records.ts';
import { verifyBatch } from '../../../shared/wire/record-batch.ts';
import { splitRecordSet } from '../../../shared/wire/split-record-set.ts';
import type { Random } from '../../../shared/clock.ts';
import type { ProcessLife } from './process-life.ts';
import type { SimClock } from './sim-clock.ts';
import { between } from './random.ts';

interface Remembered {
  baseSequence: number;
  lastSequence: number;
  baseOffset: number;
}

interface Partition {
  leader: number;
  lines: string[];
  producers: Map<bigint, Remembered[]>;
}

export interface Faults {
  /** Share of requests that are lost on their way in, and of answers that are lost on their way out. */
  lostRequests: number;
  lostAnswers: number;
  /** Share of produce requests that the broker refuses with a retriable code. */
  refusals: number;
}

export interface SimBroker {
  readonly partitions: readonly Partition[];
  faults: Faults;
  /** Moves the leader of a partition to another broker, or takes it away (-1). */
  moveLeader(partition: number, leader: number): void;
  /** Forgets every producer, as after producer.id.expiration.ms. */
  forgetProducers(): void;
  client(life: ProcessLife): KafkaCluster;
}

const RACKS = ['rack-a', 'rack-b', 'rack-c'];
const REMEMBERED_BATCHES = 5;

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
  const partitions: Partition[] = Array.from({ length: options.partitions }, (_, p) => ({
    leader: (p % 3) + 1,
    lines: [],
    producers: new Map(),
  }));
  const faults: Faults = { lostRequests: 0, lostAnswers: 0, refusals: 0 };
  let nextProducerId = 1000n;

  const append = async (
    partition: Partition,
    bytes: Buffer,
  ): Promise<{ errorCode: number; baseOffset: number }> => {
    const [span] = splitRecordSet(bytes).batches;
    const header = verifyBatch(bytes, span!);
    const history = partition.producers.get(header.producerId) ?? [];
    const known = history.find(
      (r) =>
        r.baseSequence === header.baseSequence &&
        r.lastSequence === header.baseSequence + header.recordCount - 1,
    );
    if (known !== undefined) return { errorCode: 0, baseOffset: known.baseOffset };
    const last = history.at(-1);
    if (last !== undefined && header.baseSequence !== last.lastSequence + 1) {
      return { errorCode: KafkaCode.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 };
    }
    const { records } = await decodeRecords(bytes, { span: span!, maxOutputBytes: 1 << 26 });
    const baseOffset = partition.lines.length;
    partition.lines.push(...records.map((record) => Buffer.from(record.value!).toString()));
    const lastSequence = header.baseSequence + header.recordCount - 1;
    history.push({ baseSequence: header.baseSequence, lastSequence, baseOffset });
    partition.producers.set(header.producerId, history.slice(-REMEMBERED_BATCHES));
    return { errorCode: 0, baseOffset };
  };

  const produce = async (nodeId: number, request: ProtocolReader): Promise<ProtocolWriter> => {
    request.nullableString();
    request.int16();
    request.int32();
    const asked = request.array(
      () => [request.string(), request.array(() => [request.int32(), request.bytes()] as const)] as const,
    );
    const [index, bytes] = asked[0]![1][0]!;
    const partition = partitions[index]!;
    const refused = random() < faults.refusals;
    const result =
      partition.leader !== nodeId
        ? { errorCode: KafkaCode.NOT_LEADER_OR_FOLLOWER, baseOffset: -1 }
        : refused
          ? { errorCode: KafkaCode.NOT_ENOUGH_REPLICAS, baseOffset: -1 }
          : await append(partition, bytes);
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

  const metadata = (): ProtocolWriter => {
    const writer = new ProtocolWriter().int32(0);
    writer.array([...brokers.values()], (b) =>
      writer.int32(b.nodeId).string(b.host).int32(b.port).nullableString(b.rack),
    );
    writer
      .string('sim')
      .int32(1)
      .array([0], () => {})
      .int16(0)
      .string(topic)
      .boolean(false);
    writer.array([...partitions.entries()], ([index, p]) => {
      const code = p.leader === -1 ? KafkaCode.LEADER_NOT_AVAILABLE : 0;
      writer.int16(code).int32(index).int32(p.leader).int32(0);
      writer
        .array([1, 2, 3], (id) => writer.int32(id))
        .array([1, 2, 3], (id) => writer.int32(id))
        .array([], () => {});
    });
    return writer;
  };

  const answer = async <T>(
    nodeId: number,
    request: KafkaRequest<T>,
    bytes: Buffer,
  ): Promise<ProtocolWriter> => {
    if (request.apiName === 'Produce') return produce(nodeId, new ProtocolReader(bytes));
    if (request.apiName === 'Metadata') return metadata();
    if (request.apiName === 'InitProducerId') {
      return new ProtocolWriter()
        .int32(0)
        .int16(0)
        .int64(Number((nextProducerId += 1n)))
        .int16(0);
    }
    const writer = new ProtocolWriter()
      .int32(0)
      .array([0], () => {})
      .int16(0)
      .nullableString(undefined)
      .int8(2)
      .string(topic);
    writer
      .array([0], () => {})
      .string('max.message.bytes')
      .nullableString('1048588');
    return writer
      .boolean(false)
      .int8(5)
      .boolean(false)
      .array([], () => {});
  };

  const send = async <T>(nodeId: number, request: KafkaRequest<T>): Promise<T> => {
    const writer = new ProtocolWriter();
    request.encode(writer);
    const bytes = Buffer.from(writer.finish());
    const lost = (what: string): SkaldError =>
      new SkaldError('KAFKA_TIMEOUT', `${what} of ${request.apiName} lost`);
    const requestLost = random() < faults.lostRequests;
    const answerLost = random() < faults.lostAnswers;
    await clock.after(between(random, 1, 20));
    if (requestLost) throw lost('the request');
    const answered = await answer(nodeId, request, bytes);
    await clock.after(between(random, 1, 20));
    if (answerLost) throw lost('the answer');
    return request.decode(new ProtocolReader(answered.finish()));
  };

  return {
    partitions,
    faults,
    moveLeader: (partition, leader) => {
      partitions[partition]!.leader = leader;
    },
    forgetProducers: () => {
      for (const partition of partitions) partition.producers.clear();
    },
    client: (life) => {
      // One connection to each broker: requests are worked through in the order in which they were sent.
      const queues = new Map<number, Promise<unknown>>();
      const inOrder = <T>(nodeId: number, request: KafkaRequest<T>): Promise<T> => {
        const sent = (queues.get(nodeId) ?? Promise.resolve()).then(() => send(nodeId, request));
        queues.set(
          nodeId,
          sent.catch(() => {}),
        );
        return life.through(sent);
      };
      return {
        metadata: async (topics) => {
          const got = await life.through(send(1, metadataRequest(topics)));
          return {
            clusterId: got.clusterId,
            controllerId: got.controllerId,
            brokers: new Map(got.brokers.map((b) => [b.nodeId, b])),
            topics: new Map(got.topics.map((t) => [t.topic, t])),
          };
        },
        send: (nodeId, _lane, request) => inOrder(nodeId, request),
        sendToAny: (request) => life.through(send(1, request)),
        close: () => Promise.resolve(),
      };
    },
  };
}
