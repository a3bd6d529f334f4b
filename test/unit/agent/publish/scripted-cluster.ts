/** A Kafka cluster whose produce requests wait until the test answers them; everything else it answers by itself. */
import { SkaldError } from '../../../../shared/errors.ts';
import type { KafkaCluster } from '../../../../shared/kafka/cluster.ts';
import { type KafkaRequest, ProtocolReader, ProtocolWriter } from '../../../../shared/kafka/protocol.ts';
import { BASE_OFFSET_AT, type BatchHeader, readBatchHeader } from '../../../../shared/wire/record-batch.ts';
import { batchLimitAnswer } from '../batch-limit-answer.ts';
import { someView } from './some-view.ts';

/** A record batch as the broker got it. */
export interface Produced {
  nodeId: number;
  partition: number;
  producerId: bigint;
  baseSequence: number;
  records: number;
  bytes: Buffer;
  answer(errorCode: number, baseOffset?: number, throttleMs?: number): void;
  lose(): void;
}

export interface ScriptedCluster extends KafkaCluster {
  clusterId: string;
  /** Leader of each partition, -1 for none. */
  leaders: number[];
  /** The topic's max.message.bytes; what DescribeConfigs answers. */
  maxMessageBytes: number;
  /** Error code of the next answers to InitProducerId. */
  producerIdErrors: number[];
  /** Producer ids given so far; they count from 1000. */
  producerIds: bigint[];
  /** Unanswered produce requests, oldest first. */
  produced: Produced[];
  /** What can be read of each partition; a batch is in it when a test calls `stores`. */
  logs: Map<number, Buffer[]>;
  /** The broker has the batch, whatever it answers. */
  stores(batch: Pick<Produced, 'partition' | 'bytes'>): void;
  /** Error code of every answer to Fetch. */
  fetchError: number;
  /** Offset of the first record that is still there. */
  logStart: number;
  /** Offsets that were asked for by Fetch. */
  fetched: number[];
  /** What a broker says of its own settings, and how often it was asked. */
  brokerConfig: Map<string, string>;
  brokerConfigAsked: number;
  /** Nobody answers questions about settings. */
  isSilent: boolean;
}

export function scriptedCluster(leaders: number[]): ScriptedCluster {
  const decoded = <T>(request: KafkaRequest<T>, answer: ProtocolWriter): T =>
    request.decode(new ProtocolReader(answer.finish()));

  const produce = <T>(nodeId: number, request: KafkaRequest<T>): Promise<T> => {
    const writer = new ProtocolWriter();
    request.encode(writer);
    const reader = new ProtocolReader(writer.finish());
    reader.nullableString(); // transactional id
    reader.int16(); // acks
    reader.int32(); // time-out
    const [topic, partition, batch] = reader
      .array(
        () => [reader.string(), reader.array(() => [reader.int32(), reader.bytes()] as const)[0]!] as const,
      )
      .map(([name, [index, bytes]]) => [name, index, Buffer.from(bytes)] as const)[0]!;
    const header = readBatchHeader(batch, { start: 0, end: batch.length });
    return new Promise((resolve, reject) => {
      const done = (): void => {
        cluster.produced.splice(cluster.produced.indexOf(entry), 1);
      };
      const entry: Produced = {
        nodeId,
        partition,
        producerId: header.producerId,
        baseSequence: header.baseSequence,
        records: header.recordCount,
        bytes: batch,
        answer: (errorCode, baseOffset = 0, throttleMs = 0) => {
          done();
          const answer = new ProtocolWriter()
            .array([0], () => {})
            .string(topic)
            .array([0], () => {});
          answer
            .int32(partition)
            .int16(errorCode)
            .int64(errorCode === 0 ? baseOffset : -1);
          resolve(decoded(request, answer.int64(-1).int64(0).int32(throttleMs)));
        },
        lose: () => {
          done();
          reject(new SkaldError('KAFKA_DISCONNECTED', 'the connection broke'));
        },
      };
      cluster.produced.push(entry);
    });
  };

  const headerOf = (batch: Buffer): BatchHeader => readBatchHeader(batch, { start: 0, end: batch.length });

  const endOf = (partition: number): number => {
    const last = cluster.logs.get(partition)?.at(-1);
    return last === undefined ? 0 : headerOf(last).lastOffset + 1;
  };

  /** Partition and asked number of a request of ListOffsets or Fetch, whose layouts agree so far. */
  const askedOf = (reader: ProtocolReader): { partition: number; asked: number } =>
    reader.array(() => {
      reader.string();
      return reader.array(() => {
        const partition = reader.int32();
        reader.int32();
        return { partition, asked: reader.int64() };
      })[0]!;
    })[0]!;

  const listOffsets = <T>(request: KafkaRequest<T>): T => {
    const reader = readerOf(request);
    reader.int32();
    reader.int8();
    const { partition, asked } = askedOf(reader);
    const found = (cluster.logs.get(partition) ?? []).map(headerOf).find((h) => h.maxTimestampMs >= asked);
    const special = new Map([
      [-1, endOf(partition)],
      [-2, cluster.logStart],
    ]);
    const offset = special.get(asked) ?? found?.baseOffset ?? -1;
    const answer = topicAnswer(new ProtocolWriter().int32(0));
    return decoded(request, answer.int32(partition).int16(0).int64(-1).int64(offset).int32(0));
  };

  const fetch = <T>(request: KafkaRequest<T>): T => {
    const reader = readerOf(request);
    for (let i = 0; i < 4; i += 1) reader.int32();
    reader.int8();
    reader.int32();
    reader.int32();
    const { partition, asked } = askedOf(reader);
    cluster.fetched.push(asked);
    const end = endOf(partition);
    const next = (cluster.logs.get(partition) ?? []).find((batch) => headerOf(batch).lastOffset >= asked);
    const answer = topicAnswer(new ProtocolWriter().int32(0).int16(0).int32(0));
    answer.int32(partition).int16(cluster.fetchError).int64(end).int64(end).int64(cluster.logStart);
    answer.array([], () => {}).int32(-1);
    return decoded(
      request,
      answer.bytes(cluster.fetchError === 0 && next !== undefined ? next : Buffer.alloc(0)),
    );
  };

  const readerOf = (request: KafkaRequest<unknown>): ProtocolReader => {
    const writer = new ProtocolWriter();
    request.encode(writer);
    return new ProtocolReader(writer.finish());
  };

  /** One topic with one partition follows. */
  const topicAnswer = (answer: ProtocolWriter): ProtocolWriter =>
    answer
      .array([0], () => {})
      .string('logs')
      .array([0], () => {});

  const initProducerId = <T>(request: KafkaRequest<T>): T => {
    const code = cluster.producerIdErrors.shift() ?? 0;
    const id = 1000n + BigInt(cluster.producerIds.length);
    if (code === 0) cluster.producerIds.push(id);
    return decoded(request, new ProtocolWriter().int32(0).int16(code).int64(Number(id)).int16(0));
  };

  const describeBroker = <T>(request: KafkaRequest<T>): T => {
    cluster.brokerConfigAsked += 1;
    if (cluster.isSilent) throw new SkaldError('KAFKA_UNREACHABLE', 'nobody there');
    const answer = new ProtocolWriter()
      .int32(0)
      .array([0], () => {})
      .int16(0)
      .nullableString(undefined);
    answer.int8(4).string('1');
    answer.array([...cluster.brokerConfig], ([name, value]) => {
      answer.string(name).nullableString(value).boolean(false).int8(5).boolean(false);
      answer.array([], () => {});
    });
    return decoded(request, answer);
  };

  const cluster: ScriptedCluster = {
    clusterId: 'c',
    leaders,
    maxMessageBytes: 1_048_588,
    producerIdErrors: [],
    producerIds: [],
    produced: [],
    metadata: () => {
      const { topic, partitions, brokers } = someView(cluster.leaders);
      const topics = new Map([[topic, { topic, errorCode: 0, partitions }]]);
      return Promise.resolve({ clusterId: cluster.clusterId, controllerId: 1, brokers, topics });
    },
    logs: new Map(),
    stores: ({ partition, bytes }) => {
      const stored = Buffer.from(bytes);
      stored.writeBigInt64BE(BigInt(Math.max(cluster.logStart, endOf(partition))), BASE_OFFSET_AT);
      cluster.logs.set(partition, [...(cluster.logs.get(partition) ?? []), stored]);
    },
    fetchError: 0,
    logStart: 0,
    fetched: [],
    brokerConfig: new Map(),
    brokerConfigAsked: 0,
    isSilent: false,
    send: (nodeId, _lane, request) => {
      if (request.apiName === 'Produce') return produce(nodeId, request);
      if (request.apiName === 'ListOffsets') return Promise.resolve(listOffsets(request));
      if (request.apiName === 'Fetch') return Promise.resolve(fetch(request));
      return Promise.resolve(describeBroker(request));
    },
    sendToAny: (request) =>
      Promise.resolve(
        request.apiName === 'InitProducerId'
          ? initProducerId(request)
          : batchLimitAnswer(request, 'logs', cluster.maxMessageBytes),
      ),
    close: () => Promise.resolve(),
  };
  return cluster;
}
