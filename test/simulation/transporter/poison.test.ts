import { expect, it } from 'vitest';
import { ATTRIBUTES_AT } from '../../../shared/wire/record-batch.ts';
import { createWorld, TIME_INSIDE, workerConfig } from './world.ts';

const PATIENCE_MS = 10 * 60_000;

const CONTROL = 0x20;

function holdsRecords({ bytes }: { bytes: Buffer }): boolean {
  return (bytes.readInt16BE(ATTRIBUTES_AT) & CONTROL) === 0;
}

it('a partition in which everything is poison makes few objects and holds nothing up', async () => {
  const world = createWorld(11, { partitions: 2 });
  const config = workerConfig(world.random, { format: 'jsonl', time: TIME_INSIDE });
  const chunk = { maxBytes: 1_000_000, maxAgeMs: 60_000, bucketGraceMs: 5000 };
  world.start({ ...config, topics: config.topics.map((topic) => ({ ...topic, chunk })) });
  // Partition 0 is damaged throughout; in partition 1 every record lacks its time.
  for (let batch = 0; batch < 100; batch += 1) {
    await world.produce(0);
    await world.produce(1, { poisonShare: 1 });
    const { bytes } = world.partitions[0]!.batches.findLast(holdsRecords)!;
    bytes[bytes.length - 1]! ^= 1;
    await world.clock.advance(100);
  }
  const untilMs = world.clock.monotonicMs() + PATIENCE_MS;
  while (!world.isCommitted() && world.clock.monotonicMs() < untilMs) await world.clock.advance(1000);
  expect(world.isCommitted()).toBe(true);
  expect(world.failures).toEqual([]);
  const objects = [...world.store.objects];
  expect(objects.every(([name]) => name.includes('/quarantine/'))).toBe(true);
  const ofPartition = (partition: number): string[][] =>
    objects.flatMap(([name, values]) => (name.includes(`/logs/${partition}-`) ? [values] : []));
  // Ten seconds of a bucket that goes on: the age cuts once, and once more what came while the first was stored.
  expect(ofPartition(0).length).toBeLessThanOrEqual(2);
  expect(ofPartition(1).length).toBeLessThanOrEqual(2);
  const damaged = world.partitions[0]!.batches.filter(holdsRecords);
  expect(ofPartition(0).flat()).toEqual(damaged.map(({ baseOffset }) => `the batch at ${baseOffset}`));
  const poison = world.produced.filter(({ text }) => text.startsWith('1/'));
  expect(ofPartition(1).flat()).toEqual(poison.map(({ text }) => text));
});
