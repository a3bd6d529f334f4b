/** A Kafka cluster whose produce requests wait until the test answers them; everything else it answers by itself. */
import { SkaldError } from '../../../../shared/errors.ts';
import type { KafkaCluster } from '../../../../shared/kafka/cluster.ts';
import { type KafkaRequest, ProtocolReader, ProtocolWriter } from '../../../../shared/kafka/protocol.ts';
import { readBatchHeader } from '../../../../shared/wire/record-batch.ts';
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

  const initProducerId = <T>(request: KafkaRequest<T>): T => {
    const code = cluster.producerIdErrors.shift() ?? 0;
    const id = 1000n + BigInt(cluster.producerIds.length);
    if (code === 0) cluster.producerIds.push(id);
    return decoded(request, new ProtocolWriter().int32(0).int16(code).int64(Number(id)).int16(0));
  };

  const describeConfigs = <T>(request: KafkaRequest<T>): T => {
    const answer = new ProtocolWriter()
      .int32(0)
      .array([0], () => {})
      .int16(0)
      .nullableString(undefined);
    answer
      .int8(2)
      .string('logs')
      .array([0], () => {});
    answer.string('max.message.bytes').nullableString(String(cluster.maxMessageBytes));
    return decoded(
      request,
      answer
        .boolean(false)
        .int8(5)
        .boolean(false)
        .array([], () => {}),
    );
  };

  const cluster: ScriptedCluster = {
    leaders,
    maxMessageBytes: 1_048_588,
    producerIdErrors: [],
    producerIds: [],
    produced: [],
    metadata: () => {
      const { topic, partitions, brokers } = someView(cluster.leaders);
      const topics = new Map([[topic, { topic, errorCode: 0, partitions }]]);
      return Promise.resolve({ clusterId: 'c', controllerId: 1, brokers, topics });
    },
    send: (nodeId, _lane, request) => produce(nodeId, request),
    sendToAny: (request) =>
      Promise.resolve(
        request.apiName === 'InitProducerId' ? initProducerId(request) : describeConfigs(request),
      ),
    close: () => Promise.resolve(),
  };
  return cluster;
}
