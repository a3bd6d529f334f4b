import { appendFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDirectoryWatches } from '../../../../agent/discover/directory-watches.ts';
import {
  type DirectoryChange,
  type FileSystem,
  nodeFileSystem,
} from '../../../../agent/discover/file-system.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { waitFor } from '../../../support/wait-for.ts';
import { recordedLog } from '../recorded-log.ts';

/** The real file system; counts watches, and hands out what the kernel would be told to. */
function setUp(options: { maxWatches?: number; fails?: () => string | undefined } = {}) {
  const clock = simClock(0);
  const { logger, lines: logged } = recordedLog();
  const open = new Set<(change: DirectoryChange) => void>();
  const fs: Pick<FileSystem, 'stat' | 'watch'> = {
    stat: (path) => nodeFileSystem.stat(path),
    watch: async (directory, onChange) => {
      const code = options.fails?.();
      if (code !== undefined) throw Object.assign(new Error(code), { code });
      const watch = await nodeFileSystem.watch(directory, onChange);
      open.add(onChange);
      const close = (): void => {
        open.delete(onChange);
        watch.close();
      };
      return { isLocal: watch.isLocal, close };
    },
  };
  const log = repeatedLog({ logger, clock, intervalMs: 60_000 });
  const watches = createDirectoryWatches({ fs, maxWatches: options.maxWatches ?? 100, clock, log });
  const heard: (string | undefined)[][] = [];
  const listen = async (directory: string) => {
    const paths: (string | undefined)[] = [];
    heard.push(paths);
    const watched = await watches.watch(directory, (path) => paths.push(path));
    onTestFinished(() => watched.close());
    return watched;
  };
  return { clock, logged, open, watches, heard, listen };
}

test('a thousand pipelines on one directory are one watch, and the last one to go closes it', async () => {
  const directory = await tempDir();
  const { open, watches, heard, listen } = setUp();
  const all = await Promise.all(Array.from({ length: 1_000 }, () => listen(directory)));
  expect([open.size, watches.count]).toEqual([1, 1]);
  const path = join(directory, 'app.log');
  await appendFile(path, 'x');
  await waitFor(() => heard.every((paths) => paths.includes(path)) || undefined, {
    timeoutMs: 5_000,
    what: 'all of them hear of it',
  });
  for (const watched of all.slice(1)) watched.close();
  expect(open.size).toBe(1);
  all[0]!.close();
  all[0]!.close();
  expect([open.size, watches.count]).toEqual([0, 0]);
});

describe('what cannot be watched is polled, said once, and tried again after a while', () => {
  test.each(['ENOSPC', 'EMFILE', 'ENOTSUP'])('%s', async (code) => {
    let failing = true;
    const { clock, logged, listen } = setUp({ fails: () => (failing ? code : undefined) });
    const [one, other] = [await listen(await tempDir()), await listen(await tempDir())];
    expect([one.polled, other.polled]).toEqual([true, true]);
    expect(logged.filter(({ level }) => level === 'warn').length).toBe(code === 'ENOTSUP' ? 2 : 1);
    failing = false;
    await one.renew();
    expect(one.polled).toBe(true); // not at once: a host without watches would be asked all the time
    await clock.advance(60_000);
    await one.renew();
    expect(one.polled).toBe(false);
  });

  test('more directories than limits.maxWatchedDirectories', async () => {
    const { logged, listen, watches } = setUp({ maxWatches: 2 });
    const all = [];
    for (let i = 0; i < 4; i += 1) all.push(await listen(await tempDir()));
    expect(all.map(({ polled }) => polled)).toEqual([false, false, true, true]);
    expect(watches.count).toBe(2);
    expect(logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  test('a directory that is not there: nobody is alarmed', async () => {
    const { logged, listen } = setUp();
    expect((await listen(join(await tempDir(), 'later'))).polled).toBe(true);
    expect(logged).toEqual([]);
  });
});

test('a directory that is removed and made again is watched again', async () => {
  const directory = join(await tempDir(), 'logs');
  await mkdir(directory);
  const { heard, listen } = setUp();
  const watched = await listen(directory);
  await rename(directory, `${directory}.old`);
  await waitFor(() => heard[0]!.length > 0 || undefined, { timeoutMs: 5_000, what: 'word of its end' });
  await mkdir(directory);
  await watched.renew();
  expect(watched.polled).toBe(false);
  const path = join(directory, 'app.log');
  await appendFile(path, 'x');
  await waitFor(() => heard[0]!.includes(path) || undefined, {
    timeoutMs: 5_000,
    what: 'word of the new one',
  });
  await rm(directory, { recursive: true });
  await watched.renew();
  expect(watched.polled).toBe(true);
});

test('a directory of which a change was not told is polled from then on, said once', async () => {
  const directory = await tempDir();
  const { clock, logged, listen } = setUp();
  const watched = await listen(directory);
  watched.isDeaf(join(directory, 'app.log'));
  watched.isDeaf(join(directory, 'other.log'));
  await clock.advance(3_600_000);
  await watched.renew();
  expect(watched.polled).toBe(true);
  expect(logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
});

test('as many changes at once as the kernel queues: some may have been dropped, so everything is to be looked at', async () => {
  const { clock, heard, listen, open } = setUp();
  await listen(await tempDir());
  await listen(await tempDir());
  const tell = (changes: number): void => {
    for (let i = 0; i < changes; i += 1) [...open][0]!({ what: 'written', name: 'app.log' });
  };
  tell(16_383);
  expect(heard[1]).toEqual([]);
  tell(1);
  expect(heard[1]).toEqual([undefined]);
  tell(100_000);
  expect(heard[1]).toEqual([undefined]); // a look at everything must not become the load
  await clock.advance(10_000);
  tell(16_384);
  expect(heard[1]).toEqual([undefined, undefined]);
});
