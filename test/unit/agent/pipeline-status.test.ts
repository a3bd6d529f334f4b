import { describe, expect, test } from 'vitest';
import { byteRate } from '../../../agent/byte-rate.ts';
import type { FileState, Intent } from '../../../agent/checkpoint/entries.ts';
import { emptyState } from '../../../agent/checkpoint/state.ts';
import { fileProgress } from '../../../agent/file-progress.ts';
import { recordProblems } from '../../../agent/problems.ts';
import { smallWorld } from './small-world.ts';
import { someFileState } from './some-file-state.ts';

const someState = (offset: number): FileState => someFileState({ id: 'f-1', key: '1-1', offset });

const OPEN: Intent = {
  n: 1,
  partition: 0,
  producerId: 1n,
  producerEpoch: 0,
  baseSequence: 0,
  records: 1,
  timestampMs: 0,
  codec: 'none',
  level: undefined,
  maxRecordBytes: 1_000,
  oversize: 'split',
  ranges: [{ file: 'f-1', start: 0, end: 100, terminated: true, skipRest: false, crc32c: 0 }],
};

describe('the age of what is not acknowledged', () => {
  function setUp() {
    const time = { ms: 0 };
    const state = emptyState('app', 't');
    return { time, state, progress: fileProgress(state, { monotonicMs: () => time.ms }) };
  }

  test('counts from when the oldest byte was first seen, not from the last one', () => {
    const { time, progress } = setUp();
    const file = someState(0);
    for (const sizeBytes of [100, 200, 300]) {
      time.ms += 1_000;
      progress.saw(file, sizeBytes);
    }
    expect([0, 99, 100, 250, 300].map((at) => progress.waitingSinceMs(file, at))).toEqual([
      1_000,
      1_000,
      2_000,
      3_000,
      undefined,
    ]);
  });

  test('of a file that grows for a day while all of it is acknowledged stays small', () => {
    const { time, progress } = setUp();
    const file = someState(0);
    for (let second = 1; second <= 86_400; second += 1) {
      time.ms = second * 1_000;
      progress.saw(file, second * 100);
      file.offset = second * 100 - 100;
    }
    expect(progress.waitingSinceMs(file, file.offset)).toBe(86_400_000);
  });

  test('of a file that grows for a day while nothing is acknowledged is never said too short, and takes little memory', () => {
    const { time, state, progress } = setUp();
    const file = someState(0);
    state.open.set(1, OPEN);
    for (let second = 1; second <= 86_400; second += 1) {
      time.ms = second * 1_000;
      progress.saw(file, second * 100);
    }
    expect(progress.waitingSinceMs(file, 0)).toBe(1_000);
    const ages = Array.from({ length: 864 }, (_, i) => i * 100);
    for (const second of ages) {
      expect(progress.waitingSinceMs(file, second * 100)).toBeLessThanOrEqual((second + 1) * 1_000);
    }
  });
});

test('a rate over the last ten seconds, which an idle hour brings to nothing', () => {
  const time = { ms: 0 };
  const rate = byteRate({ monotonicMs: () => time.ms });
  for (let second = 0; second < 20; second += 1) {
    time.ms = second * 1_000;
    rate.add(500);
  }
  expect(rate.perSecond()).toBe(500);
  time.ms += 5_000;
  expect(rate.perSecond()).toBe(250);
  time.ms += 3_600_000;
  expect(rate.perSecond()).toBe(0);
});

test('problems are remembered by file, the last thousand of them, with time and cause', () => {
  const said: string[] = [];
  const log = { warn: () => said.push('warn'), error: () => said.push('error'), flush: () => {} };
  const problems = recordProblems(log, { nowMs: () => Date.UTC(2026, 0, 1) });
  problems.log.warn('produce', { err: new Error('the connection broke') }, 'a batch got no answer');
  expect(problems.last).toEqual({
    message: 'a batch got no answer (the connection broke)',
    at: '2026-01-01T00:00:00.000Z',
  });
  for (let n = 0; n < 1_500; n += 1)
    problems.log.error(`open ${n}`, { path: `/logs/${n}` }, `cannot read ${n}`);
  expect(problems.paths).toHaveLength(1_000);
  expect([problems.of('/logs/0'), problems.of('/logs/1499')?.message]).toEqual([
    undefined,
    'cannot read 1499',
  ]);
  expect([problems.count, said.length]).toEqual([1_501, 1_501]);
});

describe('a pipeline', () => {
  test('whose brokers are away says for how long, with what, and how far each file is; then that all is well', async () => {
    const w = smallWorld();
    const pipeline = await w.start(w.journal);
    w.disk.append('/logs/app.log', 'one\n');
    await w.clock.advance(2_000);
    expect(pipeline.status()).toMatchObject({ state: 'idle', lagBytes: 0, lagSeconds: 0 });
    const before = pipeline.revision();
    w.network(false);
    w.disk.append('/logs/app.log', 'two\n');
    await w.clock.advance(30_000);
    w.disk.append('/logs/app.log', 'three\n');
    await w.clock.advance(30_000);
    const status = pipeline.status();
    expect(status).toMatchObject({ state: 'carries', lagBytes: 10, bytesPerSecond: 0 });
    expect(status.lastProblem?.message).toContain('no answer');
    expect(status.files).toMatchObject([
      {
        path: '/logs/app.log',
        sizeBytes: 14,
        acknowledgedBytes: 4,
        lagBytes: 10,
        partition: status.partition,
      },
    ]);
    expect(status.files[0]!.lagSeconds).toBeGreaterThan(59);
    expect(status.files[0]!.lagSeconds).toBeLessThanOrEqual(60);
    expect(pipeline.revision()).not.toBe(before);
    w.network(true);
    await w.clock.advance(60_000);
    expect(pipeline.status()).toMatchObject({ state: 'idle', lagBytes: 0, lagSeconds: 0 });
    expect(pipeline.status().files).toMatchObject([{ acknowledgedBytes: 14, lagBytes: 0, lagSeconds: 0 }]);
  });

  test('that is idle has nothing new to say for an hour', async () => {
    const w = smallWorld();
    w.disk.append('/logs/app.log', 'one\n');
    const pipeline = await w.start(w.journal);
    await w.clock.advance(5_000);
    const before = pipeline.revision();
    await w.clock.advance(3_600_000);
    expect(pipeline.revision()).toBe(before);
  });

  test('that has ended says how far it was', async () => {
    const w = smallWorld();
    w.disk.append('/logs/app.log', 'one\n');
    const pipeline = await w.start(w.journal);
    await w.clock.advance(5_000);
    await w.stop(pipeline, 1_000);
    expect(pipeline.status().files).toMatchObject([
      { path: '/logs/app.log', acknowledgedBytes: 4, lagBytes: 0 },
    ]);
  });
});
