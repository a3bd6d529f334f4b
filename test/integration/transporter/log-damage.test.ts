/** Logs of brokers that are damaged on disk. */
import { expect, it } from 'vitest';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { carryAll } from './carry-all.ts';
import { damageBatch, failCrc, storedBatches, unknownCodec } from './log-segment.ts';
import { kafka } from './transporter-files.ts';

const TIMEOUT_MS = 90_000;
const BATCHES = 8;
const BATCH_RECORDS = 20;

/** Fills partition 0 with batches of twenty records, whose values are their offsets. */
async function fill(topic: string): Promise<void> {
  const producer = kafka().producer();
  await producer.connect();
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const offsets = Array.from({ length: BATCH_RECORDS }, (_, i) => batch * BATCH_RECORDS + i);
    await producer.send({
      topic,
      acks: -1,
      messages: offsets.map((offset) => ({ value: String(offset), partition: 0 })),
    });
  }
  await producer.disconnect();
}

it('batches whose CRC fails, and one of an unknown codec: in the quarantine with their bytes and reason, the rest once', async () => {
  const [broker] = sharedStack().brokers;
  const topic = await freshTopic({ replicaAssignment: [[broker!.id]] });
  await fill(topic);
  // The first of the log, one in the middle, and the last.
  const damaged = [
    { index: 0, damage: failCrc, reason: 'WIRE_CORRUPT' },
    { index: 3, damage: unknownCodec, reason: 'WIRE_UNSUPPORTED' },
    { index: 5, damage: failCrc, reason: 'WIRE_CORRUPT' },
    { index: 7, damage: unknownCodec, reason: 'WIRE_UNSUPPORTED' },
  ].map(({ index, damage, reason }) => ({ reason, ...damageBatch(broker!.id, topic, index, damage) }));
  const { metrics, records, quarantined } = await carryAll(topic, { rack: broker!.rack });

  const good = storedBatches(broker!.id, topic).filter((_, index) => ![0, 3, 5, 7].includes(index));
  expect(records.map(({ offset }) => offset)).toEqual(
    good.flatMap(({ baseOffset }) => Array.from({ length: BATCH_RECORDS }, (_, i) => baseOffset + i)),
  );
  for (const { offset, value } of records) expect(value).toBe(String(offset));
  expect(quarantined).toEqual(
    damaged.map(({ reason, baseOffset, bytes }) => ({
      topic,
      partition: 0,
      offset: baseOffset,
      records: BATCH_RECORDS,
      reason,
      message: expect.any(String),
      batchBase64: bytes.toString('base64'),
    })),
  );
  for (const reason of ['WIRE_CORRUPT', 'WIRE_UNSUPPORTED']) {
    const series = `skald_transporter_quarantined_records_total{topic="${topic}",reason="${reason}"}`;
    expect(metrics).toContain(`${series} ${2 * BATCH_RECORDS}\n`);
  }
});

it('a follower has a damaged batch, which is fetched again from the leader: each record once, nothing in the quarantine', async () => {
  const [leader, near] = sharedStack().brokers;
  const topic = await freshTopic({ replicaAssignment: [[leader!.id, near!.id]] });
  await fill(topic);
  await waitFor(() => storedBatches(near!.id, topic).length === BATCHES, {
    timeoutMs: TIMEOUT_MS,
    what: 'the follower has every batch',
  });
  damageBatch(near!.id, topic, 3, failCrc);
  const { metrics, records, quarantined } = await carryAll(topic, { rack: near!.rack });
  expect(quarantined).toEqual([]);
  expect(records).toMatchObject(
    Array.from({ length: BATCHES * BATCH_RECORDS }, (_, offset) => ({ offset, value: String(offset) })),
  );
  // It did come from both.
  const crossed = /^skald_transporter_cross_rack_fetched_bytes_total\{.*\} (\d+)$/m.exec(metrics);
  const fetched = /^skald_transporter_fetched_bytes_total\{.*\} (\d+)$/m.exec(metrics);
  expect(Number(crossed?.[1])).toBeGreaterThan(0);
  expect(Number(fetched?.[1])).toBeGreaterThan(Number(crossed?.[1]));
});
