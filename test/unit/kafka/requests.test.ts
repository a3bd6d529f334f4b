import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { type KafkaRequest, ProtocolReader, ProtocolWriter } from '../../../shared/kafka/protocol.ts';
import { describeTopicConfigRequest } from '../../../shared/kafka/requests/describe-config.ts';
import { fetchRequest } from '../../../shared/kafka/requests/fetch.ts';
import {
  findCoordinatorRequest,
  heartbeatRequest,
  joinGroupRequest,
  leaveGroupRequest,
  syncGroupRequest,
} from '../../../shared/kafka/requests/group.ts';
import { initProducerIdRequest } from '../../../shared/kafka/requests/init-producer-id.ts';
import { EARLIEST, listOffsetsRequest } from '../../../shared/kafka/requests/list-offsets.ts';
import { metadataRequest } from '../../../shared/kafka/requests/metadata.ts';
import { offsetCommitRequest, offsetFetchRequest } from '../../../shared/kafka/requests/offsets.ts';
import { produceRequest } from '../../../shared/kafka/requests/produce.ts';
import { kafkaMessage } from './kafka-messages.ts';

const require = createRequire(import.meta.url);

const STATIC = { groupId: 'group', memberId: 'a', groupInstanceId: 'static-1' };
const DYNAMIC = { groupId: 'group', memberId: 'a', groupInstanceId: undefined };
const protocols = [{ name: 'rack-aware', metadata: Buffer.from([1, 2]) }];

const REQUESTS: Record<string, KafkaRequest<unknown>> = {
  metadata: metadataRequest(['logs', 'größer']),
  produce: produceRequest({
    partitions: [
      { topic: 'logs', partition: 3, batch: Uint8Array.of(1, 2, 3) },
      { topic: 'other', partition: 0, batch: Uint8Array.of(255) },
      { topic: 'logs', partition: 4, batch: Uint8Array.of(4) },
    ],
    timeoutMs: 30_000,
  }),
  fetch: fetchRequest({
    partitions: [
      { topic: 'logs', partition: 0, fetchOffset: 42, maxBytes: 65_536, leaderEpoch: 17 },
      { topic: 'logs', partition: 9, fetchOffset: 0, maxBytes: 1 },
    ],
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 1 << 20,
    isolation: 'read_committed',
    rackId: 'rack-b',
  }),
  'list-offsets': listOffsetsRequest({
    isolation: 'read_committed',
    partitions: [
      { topic: 'logs', partition: 2, timestamp: EARLIEST },
      { topic: 'logs', partition: 3, timestamp: 1_700_000_000_000 },
    ],
  }),
  'offset-commit': offsetCommitRequest({
    groupId: 'group',
    memberId: 'member',
    groupInstanceId: 'static-1',
    generationId: 6,
    offsets: [{ topic: 'logs', partition: 1, offset: 99, metadata: '{"end":120}' }],
  }),
  'offset-fetch': offsetFetchRequest({
    groupId: 'group',
    partitions: [
      { topic: 'logs', partition: 1 },
      { topic: 'logs', partition: 2 },
    ],
  }),
  'find-coordinator': findCoordinatorRequest('group'),
  'join-group': joinGroupRequest({
    groupId: 'group',
    memberId: '',
    groupInstanceId: undefined,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    protocolType: 'consumer',
    protocols,
  }),
  'sync-group': syncGroupRequest({
    ...STATIC,
    generationId: 6,
    assignments: [
      { memberId: 'a', assignment: Uint8Array.of(7) },
      { memberId: 'b', assignment: new Uint8Array(0) },
    ],
    rebalanceTimeoutMs: 60_000,
  }),
  heartbeat: heartbeatRequest({ ...DYNAMIC, generationId: 6 }),
  'leave-group': leaveGroupRequest(DYNAMIC),
  'init-producer-id': initProducerIdRequest(),
  'describe-configs': describeTopicConfigRequest('logs', ['max.message.bytes', 'cleanup.policy']),
};

const ANSWERS: Record<string, unknown> = {
  metadata: {
    clusterId: 'cluster',
    controllerId: 2,
    brokers: [
      { nodeId: 1, host: 'kafka-1', port: 9092, rack: 'rack-a' },
      { nodeId: 2, host: '::1', port: 65_535, rack: undefined },
    ],
    topics: [
      {
        topic: 'logs',
        errorCode: 0,
        partitions: [
          {
            topic: 'logs',
            partition: 0,
            errorCode: 5,
            leader: -1,
            leaderEpoch: -1,
            replicas: [1, 2],
            inSyncReplicas: [],
            offlineReplicas: [],
          },
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
      { topic: 'missing', errorCode: 3, partitions: [] },
    ],
  },
  produce: {
    throttleMs: 12,
    partitions: [
      {
        topic: 'logs',
        partition: 3,
        errorCode: 0,
        baseOffset: Number.MAX_SAFE_INTEGER,
        logAppendTimeMs: -1,
        logStartOffset: 7,
      },
      { topic: 'logs', partition: 4, errorCode: 45, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1 },
    ],
  },
  fetch: {
    throttleMs: 5,
    errorCode: 0,
    partitions: [
      {
        topic: 'logs',
        partition: 0,
        errorCode: 0,
        highWatermark: 50,
        lastStableOffset: 48,
        logStartOffset: 7,
        abortedTransactions: [{ producerId: 2n ** 63n - 1n, firstOffset: 44 }],
        preferredReadReplica: 3,
        records: Buffer.from([9, 8, 7]),
      },
      {
        topic: 'logs',
        partition: 9,
        errorCode: 1,
        highWatermark: -1,
        lastStableOffset: -1,
        logStartOffset: -1,
        abortedTransactions: [],
        preferredReadReplica: -1,
        records: Buffer.alloc(0),
      },
    ],
  },
  'list-offsets': {
    partitions: [{ topic: 'logs', partition: 2, errorCode: 0, timestampMs: -1, offset: 11 }],
  },
  'offset-commit': [{ topic: 'logs', partition: 1, errorCode: 22 }],
  'offset-fetch': {
    errorCode: 0,
    offsets: [
      { topic: 'logs', partition: 1, offset: 99, metadata: '{"end":120}', errorCode: 0 },
      { topic: 'logs', partition: 2, offset: -1, metadata: '', errorCode: 0 },
    ],
  },
  'find-coordinator': { errorCode: 0, errorMessage: 'NONE', nodeId: 2, host: 'kafka-2', port: 9093 },
  'join-group': {
    errorCode: 0,
    generationId: 6,
    protocolName: 'rack-aware',
    leader: 'a',
    memberId: 'b',
    members: [
      { memberId: 'a', groupInstanceId: 'static-1', metadata: Buffer.from([1]) },
      { memberId: 'b', groupInstanceId: undefined, metadata: Buffer.from([2, 3]) },
    ],
  },
  'sync-group': { errorCode: 27, assignment: Buffer.from([7, 8]) },
  heartbeat: { errorCode: 25 },
  'leave-group': { errorCode: 0 },
  'init-producer-id': { errorCode: 0, producerId: 2n ** 63n - 2n, producerEpoch: 3 },
  'describe-configs': {
    errorCode: 0,
    errorMessage: undefined,
    values: new Map([['max.message.bytes', '1048588']]),
  },
};

function encode(request: KafkaRequest<unknown>): Buffer {
  const writer = new ProtocolWriter();
  request.encode(writer);
  return writer.finish();
}

describe.each(Object.keys(REQUESTS))('%s', (name) => {
  const request = REQUESTS[name]!;

  test("is encoded as Kafka's own library encodes it", () => {
    expect(encode(request).toString('hex')).toBe(kafkaMessage(`${name}-request`).toString('hex'));
  });

  test("and the answer of Kafka's own library is read", () => {
    expect(request.decode(new ProtocolReader(kafkaMessage(`${name}-answer`)))).toEqual(ANSWERS[name]);
  });

  test('an answer that is cut off anywhere is KAFKA_PROTOCOL, never a crash or a guess', () => {
    const whole = kafkaMessage(`${name}-answer`);
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => request.decode(new ProtocolReader(whole.subarray(0, length)))).toThrow(
        expect.objectContaining({ code: 'KAFKA_PROTOCOL' }),
      );
    }
  });
});

/** What kafkajs, another implementation, makes of the same request, where it speaks the same version. */
async function kafkajsBytes(path: string, options: object): Promise<string> {
  const protocol: (options: object) => { encode(): Promise<{ buffer: Buffer }> } = require(
    `kafkajs/src/protocol/requests/${path}/request`,
  );
  return (await protocol(options).encode()).buffer.toString('hex');
}

describe('kafkajs encodes the same bytes', () => {
  test.each<[name: string, path: string, options: object]>([
    ['metadata', 'metadata/v6', { topics: ['logs', 'größer'], allowAutoTopicCreation: false }],
    [
      'fetch',
      'fetch/v11',
      {
        replicaId: -1,
        maxWaitTime: 500,
        minBytes: 1,
        maxBytes: 1 << 20,
        rackId: 'rack-b',
        isolationLevel: 1,
        topics: [
          {
            topic: 'logs',
            partitions: [
              { partition: 0, currentLeaderEpoch: 17, fetchOffset: '42', maxBytes: 65_536 },
              { partition: 9, currentLeaderEpoch: -1, fetchOffset: '0', maxBytes: 1 },
            ],
          },
        ],
      },
    ],
    ['find-coordinator', 'findCoordinator/v2', { coordinatorKey: 'group', coordinatorType: 0 }],
    [
      'join-group',
      'joinGroup/v5',
      {
        groupId: 'group',
        sessionTimeout: 10_000,
        rebalanceTimeout: 60_000,
        memberId: '',
        protocolType: 'consumer',
        groupProtocols: protocols,
      },
    ],
    [
      'sync-group',
      'syncGroup/v3',
      {
        groupId: 'group',
        generationId: 6,
        memberId: 'a',
        groupInstanceId: 'static-1',
        groupAssignment: [
          { memberId: 'a', memberAssignment: Buffer.from([7]) },
          { memberId: 'b', memberAssignment: Buffer.alloc(0) },
        ],
      },
    ],
    ['heartbeat', 'heartbeat/v3', { groupId: 'group', groupGenerationId: 6, memberId: 'a' }],
    ['leave-group', 'leaveGroup/v3', { groupId: 'group', members: [{ memberId: 'a' }] }],
    ['init-producer-id', 'initProducerId/v1', { transactionTimeout: 60_000 }],
    [
      'describe-configs',
      'describeConfigs/v2',
      { resources: [{ type: 2, name: 'logs', configNames: ['max.message.bytes', 'cleanup.policy'] }] },
    ],
  ])('%s', async (name, path, options) => {
    expect(encode(REQUESTS[name]!).toString('hex')).toBe(await kafkajsBytes(path, options));
  });
});

test('every request stays below the first flexible version (KIP-482), whose encoding it does not speak', () => {
  // The first flexible versions, from the message schemas of Apache Kafka.
  const flexible: Record<string, number> = {
    Produce: 9,
    Fetch: 12,
    ListOffsets: 6,
    Metadata: 9,
    OffsetCommit: 8,
    OffsetFetch: 6,
    FindCoordinator: 3,
    JoinGroup: 6,
    Heartbeat: 4,
    LeaveGroup: 4,
    SyncGroup: 4,
    DescribeConfigs: 4,
    InitProducerId: 2,
  };
  for (const { apiName, apiVersion } of Object.values(REQUESTS)) {
    expect(apiVersion, `the version of ${apiName}`).toBeLessThan(flexible[apiName]!);
  }
});
