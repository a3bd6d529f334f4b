import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type FsyncPolicy, type Journal, openJournal } from '../../../../agent/checkpoint/journal.ts';
import { formatEntry, parseJournal } from '../../../../agent/checkpoint/journal-lines.ts';
import type { Entry } from '../../../../agent/checkpoint/entries.ts';
import type { CheckpointState } from '../../../../agent/checkpoint/state.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { type MemoryJournal, memoryJournal } from '../memory-journal.ts';
import { recordedLog } from '../recorded-log.ts';
import { someIntent } from '../publish/some-intent.ts';

const REPAIR_INTERVAL_MS = 5_000;

async function open(
  file: MemoryJournal,
  options: {
    policy?: Partial<FsyncPolicy>;
    clock?: ReturnType<typeof simClock>;
    nowMs?: number;
    bootId?: string;
  } = {},
) {
  const clock = options.clock ?? simClock(options.nowMs ?? 0);
  const { logger, lines } = recordedLog();
  const seen = { entries: 0, bytes: 0, fsyncs: 0, failing: [] as boolean[] };
  const journal = await openJournal({
    file,
    pipeline: 'p',
    topic: 't',
    policy: { fsync: 'interval', fsyncIntervalMs: 1_000, ...options.policy },
    clock,
    counts: {
      entries: (count, bytes) => {
        seen.entries += count;
        seen.bytes += bytes;
      },
      fsync: () => {
        seen.fsyncs += 1;
      },
      failing: (failing) => seen.failing.push(failing),
    },
    bootId: options.bootId,
    logger,
  });
  return { clock, journal, lines, seen };
}

const file = (n: number): Entry => ({
  t: 'file',
  id: `fd-${n}-${n}`,
  key: `fd-${n}`,
  path: `/logs/${n}.log`,
  fingerprint: { bytes: 4, hash: 'abcd' },
  offset: n * 100,
  skipping: false,
});

/** What recovery must give back: everything but the producer of new batches. */
const remembered = ({ files, open: intents, nextFile, nextIntent }: CheckpointState) => ({
  files,
  intents,
  nextFile,
  nextIntent,
});

/** A journal with a few files and open intents, closed in order; or its process died after all was written. */
async function written(
  end: 'closed' | 'killed' = 'closed',
): Promise<{ file: MemoryJournal; state: CheckpointState }> {
  const disk = memoryJournal();
  const { journal } = await open(disk);
  journal.append(file(1), file(2), file(3));
  journal.append({ t: 'producer', producerId: 2n ** 62n + 1n, producerEpoch: 3 });
  for (let n = 1; n <= 4; n += 1) {
    const crc32c = 0xffff_fff0 + n;
    const ranges = [{ file: 'fd-1-1', start: n, end: n + 1, terminated: true, skipRest: false, crc32c }];
    journal.append({ t: 'intent', ...someIntent({ n, producerId: 2n ** 62n + 1n, ranges }) });
  }
  journal.append({ t: 'commit', n: 2, offset: 5 });
  await (end === 'closed' ? journal.close() : journal.flush());
  return { file: disk, state: journal.state };
}

describe('a journal that may lack its last entries', () => {
  const life = async (
    disk: MemoryJournal,
    bootId: string,
    fsync: FsyncPolicy['fsync'] = 'interval',
  ): Promise<Journal> => (await open(disk, { bootId, policy: { fsync } })).journal;

  test('the machine went down under a living agent: yes, and still so at the next start, until it was looked for', async () => {
    const disk = memoryJournal();
    const first = await life(disk, 'boot-1');
    first.append(file(1), file(2), file(3));
    await first.flush();
    expect(first.state.gap).toBeUndefined();
    expect((await life(disk, 'boot-2')).state.gap).toEqual({ nextFile: 4 });
    const third = await life(disk, 'boot-3');
    expect(third.state.gap).toEqual({ nextFile: 4 });
    third.closeGap();
    await third.flush();
    expect(third.state.gap).toBeUndefined();
    expect((await life(disk, 'boot-3')).state.gap).toBeUndefined();
    expect((await life(disk, 'boot-4')).state.gap).toBeDefined();
  });

  test('the process was killed and the machine ran on: no, the kernel had all of it', async () => {
    const disk = memoryJournal();
    await life(disk, 'boot-1');
    expect((await life(disk, 'boot-1')).state.gap).toBeUndefined();
  });

  test('closed in order before the machine went down: no', async () => {
    const disk = memoryJournal();
    await (await life(disk, 'boot-1')).close();
    expect((await life(disk, 'boot-2')).state.gap).toBeUndefined();
  });

  test('each intent was on the disk before its batch went out: no', async () => {
    const disk = memoryJournal();
    await life(disk, 'boot-1', 'always');
    expect((await life(disk, 'boot-2', 'interval')).state.gap).toBeUndefined();
    expect((await life(disk, 'boot-3', 'always')).state.gap).toBeDefined();
  });

  test('written by a version that did not know the boot: no, as before', async () => {
    const disk = memoryJournal();
    await life(disk, 'boot-1');
    const old = parseJournal(disk.content).entries.filter(({ t }) => t !== 'life' && t !== 'time');
    const journal = await life(memoryJournal(old.map(formatEntry).join('')), 'boot-2');
    expect(journal.state.gap).toBeUndefined();
  });

  test('a damaged one: yes, whatever boot it is', async () => {
    const { file: disk } = await written('killed');
    disk.content[disk.content.indexOf('fd-2')]! ^= 1;
    expect((await life(disk, 'boot-1')).state.gap).toBeDefined();
    expect((await life(disk, 'boot-1')).state.gap).toBeDefined(); // it is not damaged any more, and lacks what it lacked
  });

  test('what is missing is later than the last intent, or than the first start', async () => {
    const disk = memoryJournal();
    expect((await open(disk, { nowMs: 5_000 })).journal.state.lastMs).toBe(5_000);
    const { journal } = await open(disk, { nowMs: 6_000 });
    journal.append({ t: 'intent', ...someIntent({ timestampMs: 7_000 }) }, { t: 'commit', n: 1, offset: 0 });
    await journal.flush();
    expect((await open(disk, { nowMs: 9_000 })).journal.state.lastMs).toBe(7_000);
  });
});

describe('recovery', () => {
  test('a journal that the first version wrote gives its files, its open batches and the next free numbers', async () => {
    const written = readFileSync(new URL('fixtures/journal-first-version.txt', import.meta.url));
    const { journal, lines } = await open(memoryJournal(written));
    expect(lines).toEqual([]);
    const { state } = journal;
    expect([...state.files.values()].map(({ path, offset }) => [path, offset])).toEqual([
      ['/var/log/app.log.1', 5_000],
      ['/var/log/app.log', 300],
    ]);
    expect([...state.open.values()]).toMatchObject([
      { n: 8, partition: 3, producerId: 9_007_199_254_740_993n, baseSequence: 9, records: 1, codec: 'zstd' },
    ]);
    expect([state.nextFile, state.nextIntent]).toEqual([3, 9]);
  });

  test('what was closed is what is opened, open intents with their 64-bit producer ids', async () => {
    const { file: disk, state } = await written();
    const { journal, lines } = await open(disk);
    expect(remembered(journal.state)).toEqual(remembered(state));
    expect([...journal.state.open.values()].map((intent) => intent.producerId)).toEqual([
      2n ** 62n + 1n,
      2n ** 62n + 1n,
      2n ** 62n + 1n,
    ]);
    expect(lines).toEqual([]);
  });

  test('torn at each byte of its last entry: the state before it, said as a warning, and nothing set aside', async () => {
    const { file: disk } = await written('killed');
    const lastLine = disk.content.lastIndexOf('\n', disk.content.length - 2) + 1;
    const before = parseJournal(disk.content.subarray(0, lastLine)).entries;
    for (let cut = lastLine + 1; cut < disk.content.length; cut += 1) {
      const torn = memoryJournal(disk.content.subarray(0, cut));
      const { journal, lines } = await open(torn);
      expect(journal.state.open.size, `cut at ${cut}`).toBe(4);
      expect(journal.state.files.size).toBe(before.filter((entry) => entry.t === 'file').length);
      expect(lines.map((line) => line.level)).toEqual(['warn']);
      expect(torn.aside.size).toBe(0);
    }
  });

  test('the torn tail is cut off at once: what is appended after it can be read', async () => {
    const { file: disk } = await written('killed');
    const torn = memoryJournal(disk.content.subarray(0, disk.content.length - 3));
    const first = await open(torn);
    first.journal.append({ t: 'commit', n: 1, offset: 1 });
    await first.journal.close();
    const second = await open(torn);
    expect(second.lines).toEqual([]);
    expect([...second.journal.state.open.keys()]).toEqual([2, 3, 4]);
  });

  test('a flipped bit in the middle: the state before it, said at ERROR, and the whole file kept for a person', async () => {
    const { file: disk } = await written();
    const damaged = Buffer.from(disk.content);
    const secondFile = damaged.indexOf('fd-2-2');
    damaged[secondFile]! ^= 0x10;
    const flipped = memoryJournal(damaged);
    const { journal, lines } = await open(flipped);
    expect([...journal.state.files.keys()]).toEqual(['fd-1-1']);
    expect(lines.map((line) => line.level)).toEqual(['error']);
    expect(flipped.aside.get('damaged')).toEqual(damaged);
  });

  test('damaged, and no room to set it aside: the agent starts all the same', async () => {
    const { file: disk } = await written();
    const damaged = Buffer.from(disk.content);
    damaged[damaged.indexOf('fd-2-2')]! ^= 0x10;
    const full = memoryJournal(damaged);
    full.failing.add('setAside').add('replace').add('append');
    const { journal, lines } = await open(full);
    expect([...journal.state.files.keys()]).toEqual(['fd-1-1']);
    expect(lines.filter((line) => line.level === 'error').length).toBeGreaterThan(0);
  });

  test('an empty directory: an empty state that begins at number 1', async () => {
    const { journal, lines } = await open(memoryJournal());
    expect([journal.state.nextFile, journal.state.nextIntent]).toEqual([1, 1]);
    expect(lines).toEqual([]);
  });
});

describe('compaction', () => {
  test('a journal that has grown is rewritten, and opens to the same state', async () => {
    const disk = memoryJournal();
    const { journal } = await open(disk);
    journal.append(file(1));
    let largest = 0;
    for (let n = 1; n <= 30_000; n += 1) {
      journal.append({ t: 'intent', ...someIntent({ n }) });
      if (n > 3) journal.append({ t: 'commit', n: n - 3, offset: n });
      if (n % 100 === 0) await journal.flush();
      largest = Math.max(largest, disk.content.length);
    }
    await journal.close();
    expect(disk.replaces).toBeGreaterThan(1);
    // The bound of the design is twice the snapshot and 4 MiB, and one group of entries.
    expect(largest).toBeLessThan(5 * 1024 * 1024);
    const again = await open(disk);
    expect(remembered(again.journal.state)).toEqual(remembered(journal.state));
  });

  test('entries that come while the snapshot is being written are in the file once', async () => {
    const disk = memoryJournal();
    const { journal } = await open(disk);
    disk.failing.add('append');
    journal.append(file(1));
    await journal.flush(); // fails; the next one is a snapshot
    disk.failing.clear();
    const clock = simClock(REPAIR_INTERVAL_MS);
    const again = await open(disk, { clock });
    again.journal.append(file(2));
    const flushed = again.journal.flush();
    again.journal.append(file(3));
    await flushed;
    await again.journal.flush();
    const files = parseJournal(disk.content).entries.filter((entry) => entry.t === 'file');
    expect(files.map((entry) => entry.id)).toEqual(['fd-2-2', 'fd-3-3']);
  });
});

describe('fsync', () => {
  test('always: on the disk before a flush returns', async () => {
    const disk = memoryJournal();
    const { journal } = await open(disk, { policy: { fsync: 'always' } });
    for (let n = 1; n <= 5; n += 1) {
      journal.append(file(n));
      await journal.flush();
      expect(disk.syncedBytes).toBe(disk.content.length);
    }
    expect(disk.syncs).toBe(5);
  });

  test('always: what was appended while a flush was under way is on the disk after the next one', async () => {
    const disk = memoryJournal();
    const { journal } = await open(disk, { policy: { fsync: 'always' } });
    journal.append(file(1));
    const first = journal.flush();
    journal.append(file(2));
    const second = journal.flush();
    await Promise.all([first, second]);
    expect(disk.syncedBytes).toBe(disk.content.length);
    expect(parseJournal(disk.content).entries.filter((entry) => entry.t === 'file')).toHaveLength(2);
  });

  test('interval: at most once in its time, and the kernel has the bytes at once', async () => {
    const disk = memoryJournal();
    const { clock, journal } = await open(disk);
    for (let ms = 0; ms < 3_000; ms += 100) {
      journal.append(file(ms));
      await journal.flush();
      expect(
        parseJournal(disk.content).entries.some((e) => e.t === 'file' && e.id === `fd-${ms}-${ms}`),
      ).toBe(true);
      await clock.advance(100);
    }
    expect(disk.syncs).toBeGreaterThanOrEqual(2);
    expect(disk.syncs).toBeLessThanOrEqual(3);
  });

  test('interval: the last entries of a quiet pipeline reach the disk although nothing follows them', async () => {
    const disk = memoryJournal();
    const { clock, journal } = await open(disk);
    journal.append(file(1));
    await journal.flush();
    await clock.advance(1_000);
    await journal.flush(); // the poll of a quiet pipeline
    expect(disk.syncedBytes).toBe(disk.content.length);
  });

  test('never: only the kernel decides, until the journal is closed', async () => {
    const disk = memoryJournal();
    const { clock, journal } = await open(disk, { policy: { fsync: 'never' } });
    for (let n = 1; n <= 5; n += 1) {
      journal.append(file(n));
      await journal.flush();
      await clock.advance(10_000);
    }
    expect(disk.syncs).toBe(0);
    await journal.close();
    expect(disk.syncedBytes).toBe(disk.content.length);
  });
});

describe('a disk that is full', () => {
  async function filled(): Promise<{ disk: MemoryJournal } & Awaited<ReturnType<typeof open>>> {
    const disk = memoryJournal();
    const opened = await open(disk);
    opened.journal.append(file(1));
    await opened.journal.flush();
    disk.failing.add('append').add('replace').add('sync');
    return { disk, ...opened };
  }

  test('delivery goes on, said once at ERROR with what to do, and the gauge is set', async () => {
    const { journal, clock, lines, seen } = await filled();
    for (let n = 2; n < 30; n += 1) {
      journal.append(file(n));
      await journal.flush();
      await clock.advance(1_000);
    }
    expect(journal.state.files.size).toBe(29);
    expect(lines.map((line) => line.level)).toEqual(['error']);
    expect(lines[0]!.message).toContain('stateDir');
    expect(seen.failing.at(-1)).toBe(true);
  });

  test('with room again the whole state is written anew, and that is said', async () => {
    const { disk, journal, clock, lines, seen } = await filled();
    journal.append(file(2));
    await journal.flush();
    disk.failing.clear();
    journal.append(file(3));
    await journal.flush(); // too early: a failing disk is left alone for a while
    expect(parseJournal(disk.content).entries.some((e) => e.t === 'file' && e.id === 'fd-3-3')).toBe(false);
    await clock.advance(REPAIR_INTERVAL_MS);
    await journal.flush(); // nothing new, as at the poll of a quiet pipeline
    const again = await open(disk);
    expect([...again.journal.state.files.keys()]).toEqual(['fd-1-1', 'fd-2-2', 'fd-3-3']);
    expect(lines.map((line) => line.level)).toEqual(['error', 'warn']);
    expect(seen.failing.at(-1)).toBe(false);
  });

  test('half an entry on the disk does no harm: the repair replaces the file', async () => {
    const { disk, journal, clock } = await filled();
    disk.content = Buffer.concat([disk.content, Buffer.from('deadbeef {"t":"fi')]);
    journal.append(file(2));
    await journal.flush();
    disk.failing.clear();
    await clock.advance(REPAIR_INTERVAL_MS);
    journal.append(file(3));
    await journal.flush();
    const again = await open(disk);
    expect(again.journal.state.files.size).toBe(3);
    expect(again.lines).toEqual([]);
  });

  test('at the start: the agent starts, says so, and repairs it later', async () => {
    const disk = memoryJournal();
    disk.failing.add('append').add('replace').add('sync');
    const { journal, clock, lines } = await open(disk);
    journal.append(file(1));
    await journal.flush();
    expect(lines.map((line) => line.level)).toEqual(['error']);
    disk.failing.clear();
    await clock.advance(REPAIR_INTERVAL_MS);
    await journal.flush();
    expect((await open(disk)).journal.state.files.size).toBe(1);
  });

  test('at the end: closing does not fail, because nothing would be better for it', async () => {
    const { journal } = await filled();
    await expect(closeWith(journal, file(2))).resolves.toBeUndefined();
  });

  test('a sync that fails at the very end does not fail either, and is said', async () => {
    const disk = memoryJournal();
    const { journal, lines } = await open(disk, { policy: { fsync: 'never' } });
    disk.failing.add('sync');
    await expect(closeWith(journal, file(2))).resolves.toBeUndefined();
    expect(lines.map((line) => line.level)).toEqual(['error']);
  });
});

async function closeWith(journal: Journal, entry: Entry): Promise<void> {
  journal.append(entry);
  await journal.close();
}

test('what the journal counts is what it wrote', async () => {
  const disk = memoryJournal();
  const { journal, seen } = await open(disk);
  const before = disk.content.length;
  journal.append(file(1), file(2));
  await journal.flush();
  expect(seen.entries).toBe(2);
  expect(seen.bytes).toBe(disk.content.length - before);
  expect(disk.content.subarray(before).toString()).toBe(formatEntry(file(1)) + formatEntry(file(2)));
});
