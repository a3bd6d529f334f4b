import { expect, it } from 'vitest';
import type { ChunkConfig } from '../../../shared/config/objects-config.ts';
import type { TransporterConfig } from '../../../shared/config/transporter-config.ts';
import { append } from './sim-log.ts';
import { createWorld, type World, workerConfig } from './world.ts';

/** Of the sizes that a worker has by default; the simulated hour is as long as an hour. */
const SCALE = 1 / 1024;
const MAX_BYTES = 64 * 1024 ** 2 * SCALE;
const MINUTE_MS = 60_000;
const HOUR_S = 3600;
const STEP_S = 10;
const PARTITIONS = 60;
/** 5 MiB a second in all, by Zipf's law: the partition of rank n has an n-th of what the first one has. */
const BYTES_A_SECOND = 5 * 1024 ** 2 * SCALE;
const LINE_BYTES = 120;

function config(world: World, chunk: ChunkConfig): TransporterConfig {
  const base = workerConfig(world.random, { format: 'lines', codec: 'none' });
  return { ...base, topics: base.topics.map((topic) => ({ ...topic, chunk })) };
}

const shareOf = (partition: number): number => {
  const harmonic = Array.from({ length: PARTITIONS }, (_, p) => 1 / (p + 1)).reduce((a, b) => a + b);
  return 1 / (partition + 1) / harmonic;
};

interface Distribution {
  /** In share of `maxBytes`, ascending. */
  sizes: number[];
  cuts: Record<string, number>;
}

async function simulateHour(maxAgeMs: number): Promise<Distribution> {
  const world = createWorld(1, { partitions: PARTITIONS });
  const busy = config(world, { maxBytes: MAX_BYTES, maxAgeMs, bucketGraceMs: 30_000 });
  // Patient, or the simulation is of little else than empty answers.
  const { worker } = world.start({ ...busy, fetch: { ...busy.fetch, maxWaitMs: 5000 } });
  const owed = Array.from({ length: PARTITIONS }, () => 0);
  let lines = 0;
  for (let second = 0; second < HOUR_S; second += STEP_S) {
    for (const [partition, log] of world.partitions.entries()) {
      owed[partition]! += shareOf(partition) * BYTES_A_SECOND * STEP_S;
      const count = Math.floor(owed[partition]! / LINE_BYTES);
      owed[partition]! -= count * LINE_BYTES;
      const timestampMs = world.clock.nowMs();
      const records = Array.from({ length: count }, () => {
        const text = `${partition}/${lines++}/`.padEnd(LINE_BYTES - 1, 'x');
        return { text, timestampMs, appendedAtMs: timestampMs, isPoison: false };
      });
      world.produced.push(...records);
      if (count > 0) await append(log, records, world.random);
    }
    await world.clock.advance(STEP_S * 1000);
  }
  const drained = worker.drain(new AbortController().signal);
  await world.clock.advance(MINUTE_MS);
  await drained;
  expect(world.problems()).toEqual([]);
  const sizes = [...world.store.objects.values()].map(
    (texts) => texts.reduce((sum, text) => sum + text.length + 1, 0) / MAX_BYTES,
  );
  return {
    sizes: sizes.toSorted((a, b) => a - b),
    cuts: await world.countsBy('skald_transporter_chunk_cuts_total', 'reason'),
  };
}

const at = (sizes: readonly number[], share: number): number =>
  sizes[Math.floor((sizes.length - 1) * share)]!;

/** A row of the table in docs/transporter.md: run with SKALD_SHOW_SIZES=1 to see them. */
function row(maxAgeMs: number, { sizes, cuts }: Distribution): string {
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  const total = Object.values(cuts).reduce((sum, count) => sum + count, 0);
  const reasons = Object.entries(cuts).map(([reason, count]) => `${reason} ${percent(count / total)}`);
  const columns = [0.1, 0.5, 0.9, 1].map((share) => percent(at(sizes, share)));
  return `| ${maxAgeMs / MINUTE_MS} min | ${sizes.length} | ${columns.join(' | ')} | ${reasons.join(', ')} |`;
}

it.each([5, 60])(
  'an hour of skewed traffic with chunks of %i minutes at most: full objects where there is much, few where there is little',
  async (minutes) => {
    const { sizes, cuts } = await simulateHour(minutes * MINUTE_MS);
    if (process.env['SKALD_SHOW_SIZES'] !== undefined)
      process.stdout.write(`${row(minutes * MINUTE_MS, { sizes, cuts })}\n`);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    // The hour has one end of a bucket in it, and the end of the run.
    expect(sizes.length).toBeLessThan(bytes / 0.8 + PARTITIONS * (60 / minutes + 2));
    // No object is more than a chunk and the answer that filled it.
    expect(sizes.at(-1)).toBeLessThan(1.1);
    // What is cut by its size holds what the busiest partitions have.
    expect(cuts['bytes']! / bytes).toBeGreaterThan(0.4);
    expect(cuts['bucket-end']).toBeGreaterThan(PARTITIONS / 2);
    expect(cuts['pressure'] ?? 0).toBe(0);
  },
);

it('a partition that gets nothing more has its object when the bucket and its grace are over, not later', async () => {
  const world = createWorld(2, { partitions: 3 });
  world.start(config(world, { maxBytes: 1 << 30, maxAgeMs: 24 * 60 * MINUTE_MS, bucketGraceMs: 30_000 }));
  await world.clock.advance(5000);
  const timestampMs = world.clock.nowMs();
  await append(
    world.partitions[1]!,
    [{ text: '1/0/last', timestampMs, appendedAtMs: timestampMs, isPoison: false }],
    world.random,
  );
  const noonMs = Date.parse('2026-01-01T12:00:00Z');
  await world.clock.advance(noonMs + 30_000 - world.clock.nowMs() - 1);
  expect(world.store.objects.size).toBe(0);
  await world.clock.advance(2000);
  expect([...world.store.objects]).toEqual([
    [expect.stringContaining('/dt=2026-01-01/hr=11/1-'), ['1/0/last']],
  ]);
});
