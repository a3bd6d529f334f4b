/** Requests that name topics by id (KIP-516), in the flexible versions of KIP-482. */
import { describe, expect, test } from 'vitest';
import { type KafkaRequest, ProtocolReader, ProtocolWriter } from '../../../shared/kafka/protocol.ts';
import { fetchRequest } from '../../../shared/kafka/requests/fetch.ts';
import { metadataRequest } from '../../../shared/kafka/requests/metadata.ts';
import { kafkaMessage } from './kafka-messages.ts';

/** As Kafka shows the bytes 0 to 15. */
const TOPIC_ID = 'AAECAwQFBgcICQoLDA0ODw';
/** A flexible header ends with its tags, of which there are none. The messages of Kafka's library begin behind it. */
const HEADER_END = Buffer.from([0]);

const partitions = [
  { topic: 'logs', partition: 0, fetchOffset: 42, maxBytes: 65_536, leaderEpoch: 17, lastFetchedEpoch: 16 },
  { topic: 'logs', partition: 9, fetchOffset: 0, maxBytes: 1 },
];
const fetchOptions = {
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 1 << 20,
  isolation: 'read_committed',
  rackId: 'rack-b',
} as const;

const REQUESTS: Record<string, KafkaRequest<unknown>> = {
  'metadata-by-id': metadataRequest(['logs', 'größer']).newer!,
  'fetch-by-id': fetchRequest({
    ...fetchOptions,
    partitions: partitions.map((partition) => ({ ...partition, topicId: TOPIC_ID })),
  }).newer!,
};

const ANSWERS: Record<string, unknown> = {
  'metadata-by-id': {
    clusterId: 'cluster',
    controllerId: 2,
    brokers: [
      { nodeId: 2, host: '::1', port: 65_535, rack: undefined },
      { nodeId: 1, host: 'kafka-1', port: 9092, rack: 'rack-a' },
    ],
    topics: [
      {
        topic: 'logs',
        topicId: TOPIC_ID,
        errorCode: 0,
        partitions: [
          {
            topic: 'logs',
            partition: 1,
            errorCode: 0,
            leader: 2,
            leaderEpoch: 17,
            replicas: [2, 1],
            inSyncReplicas: [2],
            offlineReplicas: [1],
          },
        ],
      },
      { topic: 'x'.repeat(200), topicId: undefined, errorCode: 3, partitions: [] },
    ],
  },
  'fetch-by-id': {
    throttleMs: 5,
    errorCode: 0,
    partitions: [
      {
        topic: 'logs',
        partition: 0,
        errorCode: 0,
        highWatermark: 50,
        lastStableOffset: 49,
        logStartOffset: 3,
        abortedTransactions: [{ producerId: 9223372036854775807n, firstOffset: 44 }],
        preferredReadReplica: -1,
        records: Buffer.from([9, 8, 7]),
      },
      {
        topic: 'logs',
        partition: 9,
        errorCode: 0,
        highWatermark: 7,
        lastStableOffset: 7,
        logStartOffset: 0,
        abortedTransactions: [],
        preferredReadReplica: -1,
        divergingEpoch: { epoch: 15, endOffset: 40 },
        records: Buffer.alloc(0),
      },
    ],
  },
};

describe.each(Object.keys(REQUESTS))('%s', (name) => {
  const request = REQUESTS[name]!;
  const answer = Buffer.concat([HEADER_END, kafkaMessage(`${name}-answer`)]);

  test("is encoded as Kafka's own library encodes it", () => {
    const writer = new ProtocolWriter();
    request.encode(writer);
    const expected = Buffer.concat([HEADER_END, kafkaMessage(`${name}-request`)]);
    expect(writer.finish().toString('hex')).toBe(expected.toString('hex'));
  });

  test("and the answer of Kafka's own library is read", () => {
    expect(request.decode(new ProtocolReader(answer))).toEqual(ANSWERS[name]);
  });

  test('an answer that is cut off anywhere is KAFKA_PROTOCOL, never a crash or a guess', () => {
    for (let length = 0; length < answer.length; length += 1) {
      expect(() => request.decode(new ProtocolReader(answer.subarray(0, length)))).toThrow(
        expect.objectContaining({ code: 'KAFKA_PROTOCOL' }),
      );
    }
  });
});

test('a fetch goes by name when the id of one of its topics is not known', () => {
  const [known, unknown] = [{ ...partitions[0]!, topicId: TOPIC_ID }, partitions[1]!];
  expect(fetchRequest({ ...fetchOptions, partitions: [known, unknown] }).newer).toBeUndefined();
});
