import { expect, test } from 'vitest';
import { advanceSequence, sequenceDistance } from '../../../../agent/checkpoint/sequence.ts';

const MAX = 2_147_483_647;

// Expectations from DefaultRecordBatchTest.testIncrementSequence of Apache Kafka, and from its rule: after 2^31-1 comes 0.
test.each([
  [0, 1, 1],
  [10, 10, 20],
  [MAX - 10, 10, MAX],
  [MAX, 1, 0],
  [MAX - 1, 1, MAX],
  [MAX - 5, 10, 4],
  [MAX - 5, 11, 5],
  [MAX, 10, 9],
  [MAX, MAX, MAX - 1],
  [0, MAX, MAX],
])('after sequence %i, %i records: %i', (sequence, records, next) => {
  expect(advanceSequence(sequence, records)).toBe(next);
  expect(sequenceDistance(sequence, next)).toBe(records);
});
