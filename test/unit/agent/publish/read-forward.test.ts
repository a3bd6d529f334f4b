import { describe, expect, onTestFinished, test } from 'vitest';
import { encodeBatches } from '../../../../agent/batch/encode-batches.ts';
import { readBudget, readForward, type ReadForwardOptions } from '../../../../agent/publish/read-forward.ts';
import { watchTopic } from '../../../../agent/publish/topic-view.ts';
import { SkaldError } from '../../../../shared/errors.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { sealBatch } from '../../../../shared/wire/record-batch.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { recordedLog } from '../recorded-log.ts';
import { scriptedCluster } from './scripted-cluster.ts';

const NOW_MS = 1_700_000_000_000;
const MINUTE_MS = 60_000;

async function batch(line: string, timestampMs: number, baseSequence = 0): Promise<Buffer> {
  const bytes = Buffer.from(`${line}\n`);
  const segment = { bytes, start: 0, end: bytes.length, terminated: true, skipRest: false };
  const options = {
    codec: 'none',
    host: 'h',
    pipeline: 'p',
    maxRecordBytes: 1_000,
    oversize: 'split',
  } as const;
  const [part] = await encodeBatches({
    segments: [{ ...segment, fileId: 'f', fileOffset: 0 }],
    maxBatchBytes: Infinity,
    options: { ...options, timestampMs },
  });
  sealBatch(part!.batch, { producerId: 7n, producerEpoch: 0, baseSequence });
  return Buffer.from(part!.batch);
}

/** A partition with a batch for each age, one record each, so that offsets count batches. */
async function setUp(agesMs: readonly number[], leaders = [1]) {
  const clock = simClock(NOW_MS);
  const cluster = scriptedCluster(leaders);
  for (const [i, ageMs] of agesMs.entries()) {
    cluster.stores({ partition: 0, bytes: await batch(`line ${i}`, NOW_MS - ageMs, i) });
  }
  const { logger, lines } = recordedLog();
  const log = repeatedLog({ logger, clock, intervalMs: 60_000 });
  const watching = { metadataMaxAgeMs: 60_000, clock, random: () => 0, logger, log };
  const topicWatch = watchTopic(cluster, 'logs', watching);
  const stop = new AbortController();
  onTestFinished(() => {
    stop.abort();
    topicWatch.close();
  });
  await clock.advance(0);
  const seen: number[] = [];
  const read = (options: Partial<ReadForwardOptions> = {}) =>
    readForward({
      cluster,
      topicWatch,
      partition: 0,
      sinceMs: 0,
      hint: undefined,
      readTo: undefined,
      onBatch: (_bytes, { baseOffset }) => {
        seen.push(baseOffset);
        return Promise.resolve(false);
      },
      budget: readBudget(),
      clock,
      random: () => 0,
      logger,
      signal: stop.signal,
      ...options,
    });
  return { clock, cluster, lines, read, seen, stop };
}

const HOURLY = [5, 4, 3, 2, 1].map((hours) => hours * 60 * MINUTE_MS);

describe('where reading begins', () => {
  test('at the time, less what clocks may be apart', async () => {
    const s = await setUp(HOURLY);
    await s.read({ sinceMs: NOW_MS - 180 * MINUTE_MS });
    expect(s.seen).toEqual([2, 3, 4]);
    s.seen.length = 0;
    await s.read({ sinceMs: NOW_MS - 179 * MINUTE_MS }); // by a clock that is a minute ahead of the broker's
    expect(s.seen).toEqual([2, 3, 4]);
    s.seen.length = 0;
    await s.read({ sinceMs: NOW_MS - 150 * MINUTE_MS });
    expect(s.seen).toEqual([3, 4]);
  });

  test('nothing is as late as what is looked for: nothing is read', async () => {
    const s = await setUp(HOURLY);
    expect(await s.read({ sinceMs: NOW_MS })).toEqual({ shortfall: undefined, readTo: 5 });
    expect(s.cluster.fetched).toEqual([]);
  });

  test('at the last acknowledged batch, when that is later', async () => {
    const s = await setUp(HOURLY);
    const isThere = ({ baseSequence }: { baseSequence: number }): boolean => baseSequence === 3;
    await s.read({ hint: { offset: 3, isThere } });
    expect(s.seen).toEqual([3, 4]);
  });

  test('by the time alone when another batch stands there: the topic is not the one that it was', async () => {
    const s = await setUp(HOURLY);
    await s.read({ hint: { offset: 3, isThere: () => false } });
    expect(s.seen).toEqual([0, 1, 2, 3, 4]);
    s.seen.length = 0;
    await s.read({ hint: { offset: 400, isThere: () => true } });
    expect(s.seen).toEqual([0, 1, 2, 3, 4]);
  });

  test('where the last read ended', async () => {
    const s = await setUp(HOURLY);
    await s.read({ readTo: 4 });
    expect(s.seen).toEqual([4]);
  });
});

describe('where reading ends', () => {
  test('where the log ended when it began', async () => {
    const s = await setUp(HOURLY);
    let more = 3;
    const late = await batch('late', NOW_MS, 9);
    const onBatch: ReadForwardOptions['onBatch'] = (_bytes, { baseOffset }) => {
      s.seen.push(baseOffset);
      if ((more -= 1) >= 0) s.cluster.stores({ partition: 0, bytes: late });
      return Promise.resolve(false);
    };
    expect(await s.read({ onBatch })).toMatchObject({ shortfall: undefined });
    expect(s.seen).toEqual([0, 1, 2, 3, 4]);
  });

  test('when enough was seen', async () => {
    const s = await setUp(HOURLY);
    await s.read({ onBatch: (_bytes, { baseOffset }) => Promise.resolve(s.seen.push(baseOffset) === 2) });
    expect(s.seen).toEqual([0, 1]);
  });

  test('a leader that has less than the old one: what was behind its end is not in the partition', async () => {
    const s = await setUp(HOURLY);
    const log = s.cluster.logs.get(0)!;
    const onBatch: ReadForwardOptions['onBatch'] = () => {
      s.cluster.logs.set(0, log.slice(0, 3));
      return Promise.resolve(false);
    };
    expect(await s.read({ onBatch })).toMatchObject({ shortfall: undefined });
  });
});

describe('what cannot be read', () => {
  test('retention has passed: what was there may be gone', async () => {
    const s = await setUp([]);
    s.cluster.logStart = 2;
    s.cluster.stores({ partition: 0, bytes: await batch('left', NOW_MS - MINUTE_MS) });
    expect((await s.read({ sinceMs: NOW_MS - 120 * MINUTE_MS })).shortfall).toContain('deleted');
  });

  test('no READ permission', async () => {
    const s = await setUp(HOURLY);
    s.cluster.fetchError = 29;
    expect((await s.read()).shortfall).toContain('TOPIC_AUTHORIZATION_FAILED');
  });

  test('more than a recovery may read', async () => {
    const s = await setUp(HOURLY);
    const { shortfall } = await s.read({ budget: { bytesLeft: 250, msLeft: MINUTE_MS } });
    expect(shortfall).toContain('more to read');
    expect(s.seen.length).toBeLessThan(5);
  });

  test.each(['WIRE_CORRUPT', 'CODEC_FAILED'] as const)('a batch that is damaged: %s', async (code) => {
    const s = await setUp(HOURLY);
    const onBatch = () => Promise.reject(new SkaldError(code, 'damaged'));
    expect(await s.read({ onBatch })).toEqual({ shortfall: 'damaged', readTo: 0 });
  });
});

test('without a leader it waits, however long, and costs nothing of the budget', async () => {
  const s = await setUp(HOURLY, [-1]);
  const budget = readBudget();
  const { ...before } = budget;
  let result: unknown;
  void s.read({ budget }).then((read) => {
    result = read;
  });
  await s.clock.advance(60 * MINUTE_MS);
  expect(result).toBeUndefined();
  expect(budget).toEqual(before);
  s.cluster.leaders = [1];
  await s.clock.advance(MINUTE_MS);
  expect(result).toMatchObject({ shortfall: undefined });
  expect(s.seen).toEqual([0, 1, 2, 3, 4]);
});

test('a partition that the topic has no more holds nothing', async () => {
  const s = await setUp(HOURLY);
  expect(await s.read({ partition: 7 })).toMatchObject({ shortfall: undefined });
  expect(s.seen).toEqual([]);
});

test('it ends when the agent stops', async () => {
  const s = await setUp(HOURLY, [-1]);
  const reading = s.read();
  s.stop.abort();
  await s.clock.advance(0);
  expect((await reading).shortfall).toBeDefined();
});
