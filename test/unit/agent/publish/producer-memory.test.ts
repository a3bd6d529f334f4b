import { describe, expect, onTestFinished, test } from 'vitest';
import { producerMemory } from '../../../../agent/publish/producer-memory.ts';
import { watchTopic } from '../../../../agent/publish/topic-view.ts';
import { silentLogger } from '../../../../shared/telemetry/logger.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { scriptedCluster } from './scripted-cluster.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const START_MS = 1_700_000_000_000;

async function setUp(expirationMs?: number) {
  const clock = simClock(START_MS);
  const cluster = scriptedCluster([1]);
  if (expirationMs !== undefined) cluster.brokerConfig.set('producer.id.expiration.ms', String(expirationMs));
  const log = repeatedLog({ logger: silentLogger, clock, intervalMs: 60_000 });
  const options = { metadataMaxAgeMs: 60_000, clock, random: () => 0, logger: silentLogger, log };
  const topicWatch = watchTopic(cluster, 'logs', options);
  onTestFinished(() => topicWatch.close());
  await clock.advance(0);
  const isForgotten = producerMemory({ cluster, topicWatch, clock });
  return {
    clock,
    cluster,
    isForgotten: (ageMs: number) => isForgotten({ timestampMs: clock.nowMs() - ageMs }),
  };
}

describe('whether brokers may have forgotten the producer of a batch', () => {
  test('a batch of a moment ago: no, and nobody is asked', async () => {
    const { cluster, isForgotten } = await setUp(10 * SECOND_MS);
    expect(await isForgotten(SECOND_MS)).toBe(false);
    expect(cluster.brokerConfigAsked).toBe(0);
  });

  test('half of producer.id.expiration.ms is old', async () => {
    const { isForgotten } = await setUp(24 * HOUR_MS);
    expect(await isForgotten(12 * HOUR_MS - SECOND_MS)).toBe(false);
    expect(await isForgotten(12 * HOUR_MS + SECOND_MS)).toBe(true);
  });

  test('the setting is asked for once in a while, not for each batch, and a change is noticed', async () => {
    const { clock, cluster, isForgotten } = await setUp(24 * HOUR_MS);
    for (let i = 0; i < 50; i += 1) expect(await isForgotten(HOUR_MS)).toBe(false);
    expect(cluster.brokerConfigAsked).toBe(1);
    cluster.brokerConfig.set('producer.id.expiration.ms', String(HOUR_MS));
    await clock.advance(11 * 60 * SECOND_MS);
    expect(await isForgotten(HOUR_MS)).toBe(true);
  });

  test('where the agent may not ask: after an hour', async () => {
    const { isForgotten } = await setUp();
    expect(await isForgotten(HOUR_MS - SECOND_MS)).toBe(false);
    expect(await isForgotten(HOUR_MS + SECOND_MS)).toBe(true);
  });

  test('brokers that do not answer: after an hour, and they are asked again', async () => {
    const { cluster, isForgotten } = await setUp(24 * HOUR_MS);
    cluster.isSilent = true;
    expect(await isForgotten(2 * HOUR_MS)).toBe(true);
    cluster.isSilent = false;
    expect(await isForgotten(2 * HOUR_MS)).toBe(false);
  });

  test('a batch from the future, closed before the clock was set back: who knows', async () => {
    const { isForgotten } = await setUp(24 * HOUR_MS);
    expect(await isForgotten(-2 * HOUR_MS)).toBe(true);
    expect(await isForgotten(-SECOND_MS)).toBe(false); // clocks are corrected by a little all the time
  });
});
