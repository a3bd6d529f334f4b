import { expect, test } from 'vitest';
import type { KafkaCluster } from '../../../shared/kafka/cluster.ts';
import type { FetchAnswer } from '../../../shared/kafka/requests/fetch.ts';
import { answerMemory, kafkaPort } from '../../../transporter/kafka-port.ts';

const KIB = 1024;

/** Nothing is sent. */
const nowhere: KafkaCluster = {
  metadata: () => Promise.reject(new Error('not asked')),
  send: () => Promise.reject(new Error('not asked')),
  sendToAny: () => Promise.reject(new Error('not asked')),
  close: () => Promise.resolve(),
};

/** An answer in this memory with the records of one partition behind its head, and one without records. */
function answerIn(memory: Buffer): FetchAnswer {
  const partition = {
    topic: 'logs',
    errorCode: 0,
    highWatermark: 0,
    lastStableOffset: 0,
    logStartOffset: 0,
    abortedTransactions: [],
    preferredReadReplica: -1,
  };
  return {
    throttleMs: 0,
    errorCode: 0,
    partitions: [
      { ...partition, partition: 0, records: Buffer.alloc(0) },
      { ...partition, partition: 1, records: memory.subarray(60) },
    ],
  };
}

test.each([70, 100, 500, 5_000])(
  'the memory of an answer of %i KiB is used again, and of no other',
  (size) => {
    const answers = answerMemory(64 * 1024 * KIB);
    const port = kafkaPort(nowhere, 'group', answers);
    const first = answers.take(size * KIB);
    const second = answers.take(size * KIB);
    port.giveBack(answerIn(second));
    const third = answers.take(size * KIB);
    expect(third.buffer).toBe(second.buffer);
    expect(third.buffer).not.toBe(first.buffer);
  },
);
