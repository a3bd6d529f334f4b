import * as fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { murmur2, partitionForKey } from '../../../shared/kafka/murmur2.ts';

// From org.apache.kafka.common.utils.UtilsTest.testMurmur2.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('the hash of "%s" is what Kafka says', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});

test('every key goes where kafkajs sends it', () => {
  const choose = Partitioners.DefaultPartitioner();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.integer({ min: 1, max: 40 }), (key, partitions) => {
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionId,
        partitionErrorCode: 0,
        leader: 1,
        replicas: [1],
        isr: [1],
      }));
      const message = { key: Buffer.from(key), value: null };
      expect(partitionForKey(key, partitions)).toBe(choose({ topic: 'any', partitionMetadata, message }));
    }),
    { numRuns: 2_000 },
  );
});

test('a negative hash gives a partition that exists', () => {
  expect(partitionForKey(Buffer.from('21'), 7)).toBe((-973932308 & 0x7fffffff) % 7);
});
