import { chmod, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startStatusFile } from '../../../agent/status-file.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { recordedLog } from './recorded-log.ts';

/** A status file in a directory of its own, on a clock whose pauses end when the test says so. */
async function setUp(options: { path?: (directory: string) => string; costMs?: number } = {}) {
  const directory = await tempDir();
  const path = options.path?.(directory) ?? join(directory, 'status.json');
  const pauses: { ms: number; end: () => void }[] = [];
  const world = { revision: 'a', status: { lag: 1 }, moves: false, reports: 0, nowMs: Date.UTC(2026, 0, 1) };
  let monotonicMs = 0;
  const { logger, lines: logged } = recordedLog();
  const file = startStatusFile({
    path,
    revision: () => world.revision,
    report: () => {
      world.reports += 1;
      monotonicMs += options.costMs ?? 1;
      return { moves: world.moves, status: world.status };
    },
    clock: {
      nowMs: () => world.nowMs,
      monotonicMs: () => monotonicMs,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          pauses.push({ ms, end: resolve });
          signal?.addEventListener('abort', () => resolve(), { once: true });
          if (signal?.aborted === true) resolve();
        }),
    },
    logger,
  });
  onTestFinished(() => file.close());
  return {
    ...file,
    directory,
    path,
    world,
    logged,
    pauses,
    /** Ends the pause, and waits until the next one begins. */
    turn: async (): Promise<number> => {
      const before = pauses.length;
      pauses.at(-1)!.end();
      await vi.waitFor(() => expect(pauses.length).toBeGreaterThan(before));
      return pauses.at(-1)!.ms;
    },
    content: async (): Promise<unknown> => JSON.parse(await readFile(path, 'utf8')),
  };
}

test('is there at the start, says when and by whom it was written, and nothing else lies beside it', async () => {
  const w = await setUp();
  await w.turn();
  expect(await w.content()).toEqual({
    version: 1,
    writtenAt: '2026-01-01T00:00:00.000Z',
    pid: process.pid,
    running: true,
    lag: 1,
  });
  expect(await readdir(w.directory)).toEqual(['status.json']);
});

test('nothing is made or written while nothing changes; every five seconds while something does', async () => {
  const w = await setUp();
  expect(await w.turn()).toBe(5_000);
  for (let n = 0; n < 100; n += 1) await w.turn();
  expect(w.world.reports).toBe(1);
  Object.assign(w.world, { revision: 'b', status: { lag: 2 } });
  await w.turn();
  expect(await w.content()).toMatchObject({ lag: 2 });
  expect(w.world.reports).toBe(2);
});

test('ages grow with time alone: it is written on while something is behind', async () => {
  const w = await setUp();
  w.world.moves = true;
  await w.turn();
  await w.turn();
  await w.turn();
  expect(w.world.reports).toBe(3);
  w.world.moves = false;
  await w.turn();
  await w.turn();
  expect(w.world.reports).toBe(4);
});

test('one that takes long to make is made less often: a hundredth of the time', async () => {
  const w = await setUp({ costMs: 200 });
  expect(await w.turn()).toBe(20_000);
});

test('says at the end that the agent does not run', async () => {
  const w = await setUp();
  await w.turn();
  w.world.status = { lag: 0 };
  await w.close();
  await w.close();
  expect(await w.content()).toMatchObject({ running: false, lag: 0 });
});

test('where it cannot be written: said once, and tried again with the next change', async () => {
  const w = await setUp({ path: (directory) => join(directory, 'later', 'status.json') });
  await w.turn();
  await w.turn();
  expect(w.logged.map(({ level }) => level)).toEqual(['warn']);
  await mkdir(join(w.directory, 'later'));
  await chmod(join(w.directory, 'later'), 0o700);
  await w.turn();
  expect(await w.content()).toMatchObject({ running: true });
});
