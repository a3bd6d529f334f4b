import { describe, expect, test } from 'vitest';
import { createBatcher } from '../../../../agent/batch/batcher.ts';
import type { EncodeJob } from '../../../../agent/batch/encode-batches.ts';
import type { LogFile } from '../../../../agent/tail/log-file.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { memoryFile } from '../memory-file.ts';

function setUp() {
  const clock = simClock(0);
  const handed: { job: EncodeJob; settings: number; heldBytes: number }[] = [];
  const batcher = createBatcher<number>({
    size: { textBytes: 1_000 },
    lingerMs: 200,
    queue: {
      add: (job, { settings, heldBytes }) => {
        handed.push({ job, settings, heldBytes });
        return Promise.resolve();
      },
      drained: () => Promise.resolve(),
    },
    settings: () => clock.nowMs(),
    job: (segments) => ({
      segments,
      maxBatchBytes: Infinity,
      options: {
        codec: 'none',
        timestampMs: 0,
        host: 'h',
        pipeline: 'p',
        maxRecordBytes: 1,
        oversize: 'split',
      },
    }),
    clock,
  });
  const add = (id: string, offset: number, length: number, heldBytes = length): void => {
    const fingerprint = { bytes: 0, hash: '' };
    const state = { id, key: id, path: `/${id}`, fingerprint, offset, skipping: false };
    const position = { offset, skipping: false };
    const rest = {
      mark: undefined,
      unproven: false as const,
      hold: undefined,
      refused: false,
      changed: false,
      modifiedMs: 0,
      sizeBytes: 0,
      certainBytes: 0,
      partialAtBytes: undefined,
      partialForMs: undefined,
      insideLongLine: false,
      waits: false,
      lookedMs: 0,
      changedMs: 0,
      thoroughMs: 0,
      grewMs: 0,
      toldMs: 0,
      uses: 0,
      usedMs: 0,
      names: [],
      namesDueMs: 0,
      contentDueMs: undefined,
    };
    const file: LogFile = {
      state,
      handle: memoryFile(''),
      position,
      ...rest,
      predecessor: undefined,
      detached: false,
      detachedMs: -Infinity,
      surelyLeft: false,
    };
    batcher.add(
      file,
      { bytes: Buffer.alloc(length), end: length, terminated: true, skipRest: false },
      heldBytes,
    );
  };
  return { clock, batcher, handed, add };
}

describe('a batch', () => {
  test('takes lines of several files, each with the place that they come from', async () => {
    const { batcher, handed, add } = setUp();
    add('a', 100, 10, 64);
    add('b', 7, 20, 64);
    expect(batcher.roomBytes).toBe(970);
    await batcher.handOver();
    expect(handed).toHaveLength(1);
    expect(handed[0]!.job.segments.map((s) => [s.fileId, s.fileOffset, s.end])).toEqual([
      ['a', 100, 10],
      ['b', 7, 20],
    ]);
    expect(handed[0]!.heldBytes).toBe(128);
    expect(batcher.roomBytes).toBe(1_000);
  });

  test('goes when it is nearly full, not before', async () => {
    const { batcher, handed, add } = setUp();
    add('a', 0, 899);
    if (batcher.isDue()) await batcher.handOver();
    expect(handed).toHaveLength(0);
    add('a', 899, 1);
    if (batcher.isDue()) await batcher.handOver();
    expect(handed).toHaveLength(1);
  });

  test('goes when its first line has waited for the linger, whatever came later', async () => {
    const { clock, batcher, handed, add } = setUp();
    add('a', 0, 10);
    await clock.advance(150);
    add('a', 10, 10);
    expect(batcher.lingerLeftMs()).toBe(50);
    await clock.advance(49);
    if (batcher.isDue()) await batcher.handOver();
    expect(handed).toHaveLength(0);
    await clock.advance(1);
    if (batcher.isDue()) await batcher.handOver();
    expect(handed).toHaveLength(1);
  });

  test('goes at rest when its lines have waited for the linger in their files, and not while more is at hand', async () => {
    const { clock, batcher, add } = setUp();
    await clock.advance(150); // the file is known to have changed since 0
    add('a', 0, 10);
    expect(batcher.lingerLeftMs()).toBe(50);
    await clock.advance(50);
    expect([batcher.isDue(), batcher.isDueAtRest()]).toEqual([false, true]);
  });

  test('of a backlog: does not go at once with each chunk, however long its lines have waited', async () => {
    const { clock, batcher, add } = setUp();
    await clock.advance(60_000);
    add('a', 0, 10);
    expect([batcher.isDueAtRest(), batcher.lingerLeftMs()]).toEqual([false, 200]);
  });

  test('that is empty waits for ever and is never handed over', async () => {
    const { clock, batcher, handed } = setUp();
    expect(batcher.lingerLeftMs()).toBe(Infinity);
    await clock.advance(10_000);
    if (batcher.isDue() || batcher.isDueAtRest()) await batcher.handOver();
    await batcher.handOver();
    expect(handed).toEqual([]);
  });

  test('is built with the settings of the moment at which it is closed', async () => {
    const { clock, batcher, handed, add } = setUp();
    add('a', 0, 10);
    await clock.advance(200);
    await batcher.handOver();
    expect(handed[0]!.settings).toBe(200);
  });
});
