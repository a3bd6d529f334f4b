import { expect, onTestFinished, test } from 'vitest';
import { advanceSequence } from '../../../agent/checkpoint/sequence.ts';
import { startStack } from '../../../scripts/stack/stack.ts';
import type { KafkaCluster } from '../../../shared/kafka/cluster.ts';
import { KafkaCode } from '../../../shared/kafka/error-codes.ts';
import { describeTopicConfigRequest } from '../../../shared/kafka/requests/describe-config.ts';
import { type FetchedPartition, fetchRequest } from '../../../shared/kafka/requests/fetch.ts';
import {
  type InitProducerIdAnswer,
  initProducerIdRequest,
} from '../../../shared/kafka/requests/init-producer-id.ts';
import { EARLIEST, LATEST, listOffsetsRequest } from '../../../shared/kafka/requests/list-offsets.ts';
import { type ProducedPartition, produceRequest } from '../../../shared/kafka/requests/produce.ts';
import { decodeRecords } from '../../../shared/wire/decode-records.ts';
import { encodeLineBatch } from '../../../shared/wire/encode-lines.ts';
import { type ProducerIdentity, sealBatch } from '../../../shared/wire/record-batch.ts';
import { splitRecordSet } from '../../../shared/wire/split-record-set.ts';
import { readTopic } from '../../support/read-topic.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { client } from './client.ts';

const TIMESTAMP_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

async function batchOf(lines: string[], identity?: ProducerIdentity): Promise<Uint8Array> {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const segment = { bytes, start: 0, end: bytes.length, terminated: true, fileId: 'f', fileOffset: 0 };
  const options = { codec: 'lz4', timestampMs: TIMESTAMP_MS, host: 'h', pipeline: 'p' } as const;
  const encoded = await encodeLineBatch([segment], { ...options, maxRecordBytes: 1_000, oversize: 'split' });
  if (identity !== undefined) sealBatch(encoded.bytes, identity);
  return encoded.bytes;
}

/** A broker that has just started asks for a block of ids first and answers COORDINATOR_LOAD_IN_PROGRESS meanwhile. */
function producer(cluster: KafkaCluster): Promise<InitProducerIdAnswer> {
  return waitFor(
    async () => {
      const answer = await cluster.sendToAny(initProducerIdRequest());
      return answer.errorCode === 0 ? answer : undefined;
    },
    { timeoutMs: 60_000, what: 'a producer id' },
  );
}

async function produce(
  cluster: KafkaCluster,
  nodeId: number,
  topic: string,
  batch: Uint8Array,
  partition = 0,
): Promise<ProducedPartition> {
  const request = produceRequest({ partitions: [{ topic, partition, batch }], timeoutMs: 10_000 });
  return (await cluster.send(nodeId, 'produce', request)).partitions[0]!;
}

async function fetchFrom(
  cluster: KafkaCluster,
  nodeId: number,
  topic: string,
  options: { offset?: number; rackId?: string; leaderEpoch?: number } = {},
): Promise<FetchedPartition> {
  const { offset = 0, rackId = '', leaderEpoch = -1 } = options;
  const partition = { topic, partition: 0, fetchOffset: offset, maxBytes: 1 << 20, leaderEpoch };
  const limits = {
    maxWaitMs: 100,
    minBytes: 1,
    maxBytes: 1 << 20,
    isolation: 'read_uncommitted',
    rackId,
  } as const;
  const answer = await cluster.send(nodeId, 'fetch', fetchRequest({ partitions: [partition], ...limits }));
  return answer.partitions[0]!;
}

async function offsetAt(
  cluster: KafkaCluster,
  nodeId: number,
  topic: string,
  timestamp: number,
): Promise<number> {
  const partitions = [{ topic, partition: 0, timestamp }];
  const request = listOffsetsRequest({ isolation: 'read_uncommitted', partitions });
  const [listed] = (await cluster.send(nodeId, 'control', request)).partitions;
  expect(listed!.errorCode).toBe(0);
  return listed!.offset;
}

test('metadata: brokers with their racks, leaders, replicas, and a topic that is missing', async () => {
  const { brokers } = sharedStack();
  const topic = await freshTopic({
    replicaAssignment: [
      [3, 1],
      [2, 3],
    ],
  });
  const view = await client().metadata([topic, `${topic}-missing`]);
  expect([...view.brokers.values()].map(({ nodeId, port, rack }) => ({ id: nodeId, port, rack }))).toEqual(
    brokers.map(({ id, port, rack }) => ({ id, port, rack })),
  );
  expect(view.topics.get(topic)!.partitions).toMatchObject([
    { partition: 0, leader: 3, replicas: [3, 1], errorCode: 0 },
    { partition: 1, leader: 2, replicas: [2, 3], errorCode: 0 },
  ]);
  expect(view.topics.get(`${topic}-missing`)!.errorCode).toBe(KafkaCode.UNKNOWN_TOPIC_OR_PARTITION);
});

test("a batch goes in, comes out the same but for what the broker writes, and Kafka's own consumer reads it", async () => {
  const topic = await freshTopic({ replicaAssignment: [[2, 1]] });
  const cluster = client();
  await cluster.metadata([topic]);
  const batch = await batchOf(['one', 'two', 'three']);
  expect(await produce(cluster, 2, topic, batch)).toMatchObject({ errorCode: 0, baseOffset: 0 });
  expect(await produce(cluster, 2, topic, batch)).toMatchObject({ errorCode: 0, baseOffset: 3 });

  const fetched = await fetchFrom(cluster, 2, topic);
  const { batches } = splitRecordSet(fetched.records);
  expect(batches).toHaveLength(2);
  const second = Buffer.from(fetched.records.subarray(batches[1]!.start, batches[1]!.end));
  expect(Number(second.readBigInt64BE(0))).toBe(3);
  // Base offset and leader epoch are the broker's; everything else is what was sent.
  expect(second.subarray(16).equals(Buffer.from(batch).subarray(16))).toBe(true);
  const { records } = await decodeRecords(second, { maxOutputBytes: 1 << 20 });
  expect(records.map(({ offset, timestampMs, value }) => [offset, timestampMs, String(value)])).toEqual([
    [3, TIMESTAMP_MS, String(Buffer.from('one'))],
    [4, TIMESTAMP_MS, String(Buffer.from('two'))],
    [5, TIMESTAMP_MS, String(Buffer.from('three'))],
  ]);
  expect((await readTopic(topic)).map(({ value }) => value)).toEqual([
    'one',
    'two',
    'three',
    'one',
    'two',
    'three',
  ]);
});

test('a fetch with a rack is sent to the replica in that rack (KIP-392), which serves it', async () => {
  const topic = await freshTopic({ replicaAssignment: [[1, 3]] });
  const cluster = client();
  await cluster.metadata([topic]);
  await produce(cluster, 1, topic, await batchOf(['one', 'two']));
  // The leader offers the follower when it knows that it has the offset.
  const preferred = await waitFor(
    async () => {
      const { preferredReadReplica } = await fetchFrom(cluster, 1, topic, { rackId: 'rack-c' });
      return preferredReadReplica === -1 ? undefined : preferredReadReplica;
    },
    { timeoutMs: 60_000, what: 'the leader offers the replica in rack-c' },
  );
  expect(preferred).toBe(3);
  // The follower gives what it knows to be everywhere, which it learns with its next fetch from the leader.
  const answer = await waitFor(
    async () => {
      const fetched = await fetchFrom(cluster, 3, topic, { rackId: 'rack-c' });
      return fetched.records.length > 0 ? fetched : undefined;
    },
    { timeoutMs: 60_000, what: 'the follower gives the records' },
  );
  expect(answer.errorCode).toBe(0);
  expect(splitRecordSet(answer.records).batches).toHaveLength(1);
  expect((await fetchFrom(cluster, 1, topic, { rackId: 'rack-a' })).preferredReadReplica).toBe(-1);
});

test('fetching where it cannot be: no replica, beyond the end, under an old or a future leader epoch', async () => {
  const topic = await freshTopic({ replicaAssignment: [[1, 3]] });
  const cluster = client();
  await cluster.metadata([topic]);
  await produce(cluster, 1, topic, await batchOf(['one']));
  const code = async (nodeId: number, options: Parameters<typeof fetchFrom>[3]): Promise<number> =>
    (await fetchFrom(cluster, nodeId, topic, options)).errorCode;
  expect(await code(2, {})).toBe(KafkaCode.NOT_LEADER_OR_FOLLOWER);
  expect(await code(1, { offset: 99 })).toBe(KafkaCode.OFFSET_OUT_OF_RANGE);
  expect(await code(1, { leaderEpoch: 99 })).toBe(KafkaCode.UNKNOWN_LEADER_EPOCH);
});

test('the broker recognises a batch that it has, across connections, and refuses a gap', async () => {
  const topic = await freshTopic({ replicaAssignment: [[2, 3]] });
  const cluster = client();
  await cluster.metadata([topic]);
  const { producerId, producerEpoch } = await producer(cluster);
  const first = await batchOf(['one', 'two'], { producerId, producerEpoch, baseSequence: 0 });
  const next = await batchOf(['three'], { producerId, producerEpoch, baseSequence: 2 });
  const gap = await batchOf(['five'], { producerId, producerEpoch, baseSequence: 4 });

  expect(await produce(cluster, 2, topic, first)).toMatchObject({ errorCode: 0, baseOffset: 0 });
  expect(await produce(cluster, 2, topic, next)).toMatchObject({ errorCode: 0, baseOffset: 2 });
  const other = client();
  await other.metadata([topic]);
  expect(await produce(other, 2, topic, first)).toMatchObject({ errorCode: 0, baseOffset: 0 });
  expect(await offsetAt(cluster, 2, topic, LATEST)).toBe(3);
  expect(await produce(cluster, 2, topic, gap)).toMatchObject({
    errorCode: KafkaCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  });
  expect(await offsetAt(cluster, 2, topic, LATEST)).toBe(3);
  expect((await readTopic(topic)).map(({ value }) => value)).toEqual(['one', 'two', 'three']);
});

test('a broker that does not know a producer id takes any first sequence, and then no earlier one', async () => {
  // Why the first batch of an identity goes alone, see agent/publish/partition-sender.ts.
  const topic = await freshTopic({ replicaAssignment: [[2, 3]] });
  const cluster = client();
  await cluster.metadata([topic]);
  const { producerId, producerEpoch } = await producer(cluster);
  const second = await batchOf(['second'], { producerId, producerEpoch, baseSequence: 5 });
  const first = await batchOf(['1', '2', '3', '4', '5'], { producerId, producerEpoch, baseSequence: 0 });
  expect(await produce(cluster, 2, topic, second)).toMatchObject({ errorCode: 0, baseOffset: 0 });
  expect(await produce(cluster, 2, topic, first)).toMatchObject({
    errorCode: KafkaCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  });
});

test('producer ids are different ones', async () => {
  const cluster = client();
  const ids = new Set<bigint>();
  for (let i = 0; i < 10; i += 1) ids.add((await producer(cluster)).producerId);
  expect(ids.size).toBe(10);
});

test('offsets by time: the first record at or after it, the beginning and the end', async () => {
  const topic = await freshTopic({ replicaAssignment: [[1]] });
  const cluster = client();
  await cluster.metadata([topic]);
  await produce(cluster, 1, topic, await batchOf(['one', 'two']));
  await produce(cluster, 1, topic, await batchOf(['three']));
  expect(await offsetAt(cluster, 1, topic, EARLIEST)).toBe(0);
  expect(await offsetAt(cluster, 1, topic, LATEST)).toBe(3);
  expect(await offsetAt(cluster, 1, topic, TIMESTAMP_MS)).toBe(0);
  expect(await offsetAt(cluster, 1, topic, TIMESTAMP_MS + 1)).toBe(-1);
});

test('the settings of a topic: its own, and the defaults where it has none', async () => {
  const own = await freshTopic({ settings: { 'max.message.bytes': '2000000' } });
  const plain = await freshTopic();
  const cluster = client();
  const limitOf = async (topic: string): Promise<string | undefined> => {
    const answer = await cluster.sendToAny(describeTopicConfigRequest(topic, ['max.message.bytes']));
    expect(answer.errorCode).toBe(0);
    return answer.values.get('max.message.bytes');
  };
  expect(await limitOf(own)).toBe('2000000');
  expect(await limitOf(plain)).toBe('1048588');
});

test('a batch above max.message.bytes is refused with its code, and the connection lives', async () => {
  const topic = await freshTopic({ replicaAssignment: [[1]], settings: { 'max.message.bytes': '500' } });
  const cluster = client();
  await cluster.metadata([topic]);
  const large = await batchOf(Array.from({ length: 100 }, (_, i) => `line ${i * 7919}`));
  expect(large.length).toBeGreaterThan(500);
  expect(await produce(cluster, 1, topic, large)).toMatchObject({ errorCode: KafkaCode.MESSAGE_TOO_LARGE });
  expect(await produce(cluster, 1, topic, await batchOf(['small']))).toMatchObject({ errorCode: 0 });
});

test('the end of the log, beyond the high watermark, while a follower is behind', async () => {
  const stack = await startStack({ s3: false });
  onTestFinished(() => stack.stop());
  const topic = await freshTopic({ replicaAssignment: [[1, 2]] }, stack.bootstrap);
  const cluster = client({ brokers: [...stack.bootstrap] });
  await cluster.metadata([topic]);
  await produce(cluster, 1, topic, await batchOf(['one']));
  stack.pauseBroker(2);
  const unanswered = produce(cluster, 1, topic, await batchOf(['two', 'three']));
  const partitions = [{ topic, partition: 0, timestamp: LATEST }];
  const ends = await waitFor(
    async () => {
      const ask = (logEnd: boolean) =>
        listOffsetsRequest({ isolation: 'read_uncommitted', partitions, logEnd });
      const [end, watermark] = await Promise.all(
        [true, false].map((logEnd) => cluster.send(1, 'control', ask(logEnd))),
      );
      const offsets = [end!.partitions[0]!.offset, watermark!.partitions[0]!.offset];
      return offsets[0] !== offsets[1] && offsets;
    },
    { timeoutMs: 60_000, what: 'a log that is longer than what its followers have' },
  );
  expect(ends).toEqual([3, 1]);
  stack.resumeBroker(2);
  await unanswered;
});

test('sequences wrap from 2^31-1 to 0, and batches on both sides of the wrap are recognised', async () => {
  const topic = await freshTopic({ replicaAssignment: [[1]] });
  const cluster = client();
  await cluster.metadata([topic]);
  const { producerId, producerEpoch } = await producer(cluster);
  let baseSequence = 2 ** 31 - 3;
  const batches: Uint8Array[] = [];
  for (const lines of [['a', 'b', 'c', 'd', 'e'], ['f'], ['g', 'h']]) {
    batches.push(await batchOf(lines, { producerId, producerEpoch, baseSequence }));
    baseSequence = advanceSequence(baseSequence, lines.length);
  }
  const offsets = [0, 5, 6];
  for (const round of ['appended', 'recognised']) {
    for (const [i, batch] of batches.entries()) {
      const { errorCode, baseOffset } = await produce(cluster, 1, topic, batch);
      expect({ errorCode, baseOffset }, `batch ${i} is ${round}`).toEqual({
        errorCode: 0,
        baseOffset: offsets[i],
      });
    }
  }
  expect((await readTopic(topic)).map(({ value }) => value).join('')).toBe('abcdefgh');
});
