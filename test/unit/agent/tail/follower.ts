/** The files of a pipeline on a real file system, read as the agent reads them, with a journal that outlives restarts. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { sharedBuffers } from '../../../../shared/shared-buffers.ts';
import { openJournal } from '../../../../agent/checkpoint/journal.ts';
import { createDirectoryWatches } from '../../../../agent/discover/directory-watches.ts';
import { type FileSystem, nodeFileSystem } from '../../../../agent/discover/file-system.ts';
import { memoryBudget } from '../../../../agent/memory-budget.ts';
import { createLogFiles, type LogFilesOptions } from '../../../../agent/tail/log-files.ts';
import { createOpenFiles } from '../../../../agent/tail/open-files.ts';
import { createReader } from '../../../../agent/tail/reader.ts';
import { type Framing, LINES } from '../../../../shared/framing/framing.ts';
import { silentLogger } from '../../../../shared/telemetry/logger.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { crc32c } from '../../../../shared/wire/crc32c.ts';
import { type IntentRange, MARK_BYTES } from '../../../../agent/checkpoint/entries.ts';
import { memoryJournal } from '../memory-journal.ts';
import { someIntent } from '../publish/some-intent.ts';
import { recordedLog } from '../recorded-log.ts';

export const CLOSE_ROTATED_AFTER_MS = 5_000;
export const PARTIAL_LINE_TIMEOUT_MS = 5_000;
const MAX_RECORD_BYTES = 100_000;

export interface FollowerOptions extends Partial<Pick<LogFilesOptions, 'startAt' | 'exclude'>> {
  /** Relative to the directory. */
  include?: string[];
  fs?: FileSystem;
  maxOpenFiles?: number;
  /** The kernel tells of changes; without it everything is looked at, again and again. */
  watch?: boolean;
  closeIdleAfterMs?: number;
  closeRotatedAfterMs?: number;
  partialLineTimeoutMs?: number;
  chunkBytes?: number;
  framing?: Framing;
  recordTimeoutMs?: number;
}

export async function follower(directory: string, options: FollowerOptions = {}) {
  const { fs = nodeFileSystem, chunkBytes = 4096, framing = LINES } = options;
  const clock = simClock(0);
  const { logger, lines: logged } = recordedLog();
  const disk = memoryJournal();
  let holes = 0;
  let acknowledging = true;
  /** What has no intent yet, while a test holds that up. */
  let unintended: IntentRange[] | undefined;
  const lost: [bytes: number, reason: string][] = [];
  const partialLineTimeoutMs = options.partialLineTimeoutMs ?? PARTIAL_LINE_TIMEOUT_MS;

  const open = async () => {
    const policy = { fsync: 'never', fsyncIntervalMs: 1_000 } as const;
    const counts = { entries: () => {}, fsync: () => {}, failing: () => {} };
    const opening = { file: disk, pipeline: 'p', topic: 't', policy, clock, counts, logger: silentLogger };
    const journal = await openJournal(opening);
    const log = repeatedLog({ logger, clock, intervalMs: 60_000 });
    const openFiles = createOpenFiles(fs, options.maxOpenFiles ?? 100);
    const files = createLogFiles({
      fs,
      journal,
      onManyFiles: () => {},
      openFiles,
      watches:
        options.watch === true ? createDirectoryWatches({ fs, maxWatches: 100, clock, log }) : undefined,
      wakeNames: () => {},
      wakeContents: () => {},
      scanIntervalMs: 1_000,
      pollIntervalMs: 250,
      closeIdleAfterMs: options.closeIdleAfterMs ?? 300_000,
      include: (options.include ?? ['*.log*']).map((glob) => join(directory, glob)),
      exclude: (options.exclude ?? []).map((glob) => join(directory, glob)),
      startAt: options.startAt ?? 'beginning',
      closeRotatedAfterMs: options.closeRotatedAfterMs ?? CLOSE_ROTATED_AFTER_MS,
      partialLineTimeoutMs,
      framing,
      onLost: (bytes, reason) => lost.push([bytes, reason]),
      onHole: (bytes) => {
        holes += bytes;
      },
      clock,
      logger,
      log,
    });
    const reader = createReader({
      batcher: {
        roomBytes: chunkBytes,
        // As if every batch had its intent at once and, unless a test holds it up, its acknowledgement.
        add: (file, { bytes, end, terminated, skipRest, insideBytes, restBytes }) => {
          text += Buffer.from(bytes.subarray(0, end)).toString('latin1');
          const start = file.position.offset;
          const range = {
            file: file.state.id,
            start,
            end: start + end,
            terminated,
            skipRest,
            insideBytes,
            restBytes,
            crc32c: crc32c(bytes, 0, end),
          };
          const tail = crc32c(bytes, Math.max(0, end - MARK_BYTES), end);
          if (unintended === undefined) intend({ ...range, tail });
          else unintended.push({ ...range, tail });
        },
        lingerLeftMs: () => 0,
        isDue: () => false,
        isDueAtRest: () => false,
        handOver: () => Promise.resolve(),
      },
      buffers: sharedBuffers(0, 1 << 10),
      budget: memoryBudget(Number.MAX_SAFE_INTEGER).share('main'),
      journal,
      published: () => Promise.resolve(true),
      maxRecordBytes: () => MAX_RECORD_BYTES,
      oversize: 'split',
      framing,
      partialLineTimeoutMs,
      recordTimeoutMs: options.recordTimeoutMs,
      onSkipped: () => {},
      onCut: () => {},
      onLost: (bytes, reason) => lost.push([bytes, reason]),
      clock,
      log,
      signal: new AbortController().signal,
    });
    return { journal, files, reader };
  };
  let text = '';
  let { journal, files, reader } = await open();
  onTestFinished(() => files.close());

  const acknowledge = (): void => {
    for (const n of journal.state.open.keys()) journal.append({ t: 'commit', n, offset: 0 });
  };

  const intend = (range: IntentRange): void => {
    const n = journal.state.nextIntent;
    journal.append({ t: 'intent', ...someIntent({ n, ranges: [range] }) });
    if (acknowledging) acknowledge();
  };

  const readOn = async (): Promise<string> => {
    text = '';
    for (let turns = 0; turns < 10_000; turns += 1) {
      const work = files.withWork();
      if (work.length === 0) return text;
      for (const file of work) {
        const moved = files.useNow(file, (open) => reader.readNow(open, Infinity));
        if (moved === undefined) await files.use(file, (open) => reader.readSome(open));
      }
    }
    throw new Error('there is always work');
  };

  const poll = async (): Promise<void> => {
    await files.scan();
    await files.poll();
  };

  return {
    clock,
    lost,
    get holes() {
      return holes;
    },
    logged,
    disk,
    /** From now on what is read waits to become a batch. */
    holdIntents: (): void => {
      unintended = [];
    },
    intend: (): void => {
      const ranges = unintended ?? [];
      unintended = undefined;
      for (const range of ranges) intend(range);
    },
    /** From now on intents stay open. */
    holdAcknowledgements: (): void => {
      acknowledging = false;
    },
    /** Those that were held up come, and each one from now on at once. */
    acknowledge: (): void => {
      acknowledging = true;
      acknowledge();
    },
    get files() {
      return files;
    },
    get journal() {
      return journal;
    },
    scan: () => files.scan(),
    /** Sees what there is, and reads nothing. */
    poll,
    /** Everything that can be read now, in the order in which it is read. */
    readOn,
    /** A look for new files, a look into the known ones, and all that they hold. */
    look: async (): Promise<string> => {
      await poll();
      return readOn();
    },
    /** What a pipeline does for `ms` that looks only when it has a reason to. */
    attend: async (ms: number): Promise<string> => {
      let all = '';
      for (let passed = 0; passed < ms; passed += 100) {
        await clock.advance(100);
        if (files.lookLeftMs() <= 0) await files.look();
        if (files.pollLeftMs() <= 0) await files.poll();
        all += await readOn();
      }
      return all;
    },
    /** What an idle pipeline does for `ms`: it looks again and again. */
    idle: async (ms: number): Promise<string> => {
      const stepMs = ms / Math.min(20, Math.ceil(ms / 500));
      let all = '';
      for (let passed = 0; passed < ms; passed += stepMs) {
        await clock.advance(stepMs);
        await poll();
        all += await readOn();
      }
      return all;
    },
    /** Dies with all that the journal does not say, lets `meanwhile` happen, and starts again. */
    die: async (meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> => {
      await journal.flush();
      const dead = files;
      onTestFinished(() => dead.close());
      await meanwhile();
      ({ journal, files, reader } = await open());
    },
    /** Ends, lets `meanwhile` happen, and starts again with the journal. */
    restart: async (meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> => {
      await files.close();
      await journal.close();
      await meanwhile();
      ({ journal, files, reader } = await open());
    },
  };
}
