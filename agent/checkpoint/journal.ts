/**
 * The checkpoint journal of one pipeline: intents before their effect, commits after it. Appending applies an entry to
 * the state at once and queues its bytes; `flush` says when everything queued so far is as safe as the policy asks.
 */
import type { Clock } from '../../shared/clock.ts';
import { messageOf } from '../../shared/errors.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { JournalFile } from './journal-file.ts';
import { formatEntry, parseJournal } from './journal-lines.ts';
import type { Entry } from './entries.ts';
import { apply, type CheckpointState, emptyState, snapshot } from './state.ts';

export interface FsyncPolicy {
  /**
   * `always`: on disk before a batch is sent, so exactly once survives a power cut. `interval` and `never`: exactly once
   * survives the death of the process (the kernel has the bytes); after a power cut the last intents may be missing, and
   * what they sent is looked for in the topic.
   */
  fsync: 'always' | 'interval' | 'never';
  fsyncIntervalMs: number;
}

export interface JournalCounts {
  entries(count: number, bytes: number): void;
  fsync(): void;
  failing(failing: boolean): void;
}

export interface Journal {
  readonly state: CheckpointState;
  /** What the gap of the state may have held was looked for, as far as possible. */
  closeGap(): void;
  append(...entries: Entry[]): void;
  /** Never rejects: with a disk that fails, delivery goes on and the risk is said once and counted. */
  flush(): Promise<void>;
  /** Until `flush` has something to do for entries that nobody waits for; Infinity while it has not. */
  flushLeftMs(): number;
  close(): Promise<void>;
}

/** A journal this much longer than its snapshot is rewritten. */
const COMPACT_SLACK_BYTES = 4 * 1024 * 1024;
/** Longest wait of entries whose loss costs nothing but work, such as commits: the broker knows what it has. */
const FLUSH_AFTER_MS = 250;
/** How long a failing disk is left alone between two tries to write the whole state anew. */
const REPAIR_INTERVAL_MS = 5_000;

async function recover(file: JournalFile, fresh: CheckpointState, logger: Logger): Promise<CheckpointState> {
  const bytes = await file.read();
  const { entries, goodBytes } = parseJournal(bytes);
  for (const entry of entries) apply(fresh, entry);
  // Open intents keep their identity, new batches take a new one. A power cut may have cut off the last intents without a
  // trace; under the old identity the broker would take other lines for theirs, answer "duplicate", and they were lost.
  fresh.producer = undefined;
  fresh.sequences = new Map();
  if (goodBytes < bytes.length) {
    const lost = bytes.subarray(goodBytes);
    // A torn tail is what a crash in the middle of a write leaves; anything with a newline behind it was damaged later.
    const torn = !lost.subarray(0, -1).includes(0x0a);
    if (torn) {
      logger.warn(
        { bytes: lost.length, at: goodBytes },
        'the journal ends in a torn entry; going on from the one before',
      );
    } else {
      const keptAs = await file.setAside(bytes, 'damaged').catch(messageOf); // a full disk must not keep us from starting
      logger.error(
        { bytes: lost.length, at: goodBytes, keptAs },
        'the journal is damaged; going on from the last good entry. What was sent after it is looked for in the topic; lines of files that the rest does not know may come twice',
      );
      if (fresh.gap === undefined) apply(fresh, { t: 'gap', nextFile: fresh.nextFile });
    }
  }
  return fresh;
}

/** Opens and recovers. @throws when the directory or file cannot be read or written at all. */
export async function openJournal(options: {
  file: JournalFile;
  pipeline: string;
  topic: string;
  policy: FsyncPolicy;
  clock: Clock;
  counts: JournalCounts;
  /** The kernel's boot id; undefined where a reboot cannot be noticed. */
  bootId?: string | undefined;
  logger: Logger;
}): Promise<Journal> {
  const { file, policy, clock, counts, logger } = options;
  const state = await recover(file, emptyState(options.pipeline, options.topic), logger);
  const { life } = state;
  const boot = options.bootId ?? '';
  const isSynced = policy.fsync === 'always';
  const isUnsure = life !== undefined && !life.sure && life.boot !== boot;
  if (isUnsure && state.gap === undefined) apply(state, { t: 'gap', nextFile: state.nextFile });
  if (state.gap === undefined) apply(state, { t: 'life', boot, sure: isSynced });
  if (state.gap === undefined && state.lastMs === 0) apply(state, { t: 'time', lastMs: clock.nowMs() });

  let queued: Entry[] = [];
  let queuedSinceMs = 0;
  /** The last group being written, and the one that will be written after it: it takes what is queued when it begins. */
  let writing: Promise<void> = Promise.resolve();
  let scheduled: Promise<void> | undefined;
  /** Set while the disk fails: the file's tail cannot be trusted, so only a whole snapshot can repair it. */
  let failedAtMs: number | undefined;
  let sizeBytes = 0;
  let snapshotBytes = 0;
  let unsyncedSinceMs: number | undefined;

  const rewrite = async (): Promise<void> => {
    const bytes = Buffer.from(snapshot(state).map(formatEntry).join(''));
    await file.replace(bytes);
    counts.fsync();
    sizeBytes = bytes.length;
    snapshotBytes = bytes.length;
    unsyncedSinceMs = undefined;
  };

  const appendGroup = async (entries: Entry[]): Promise<void> => {
    if (entries.length === 0) return;
    const bytes = Buffer.from(entries.map(formatEntry).join(''));
    await file.append(bytes);
    sizeBytes += bytes.length;
    counts.entries(entries.length, bytes.length);
    unsyncedSinceMs ??= clock.monotonicMs();
  };

  const syncDue = (): boolean => {
    if (unsyncedSinceMs === undefined || policy.fsync === 'never') return false;
    return policy.fsync === 'always' || clock.monotonicMs() - unsyncedSinceMs >= policy.fsyncIntervalMs;
  };

  const writeGroup = async (entries: Entry[], whole: boolean): Promise<void> => {
    const nowMs = clock.monotonicMs();
    if (failedAtMs !== undefined && nowMs - failedAtMs < REPAIR_INTERVAL_MS) return;
    try {
      if (whole || failedAtMs !== undefined || sizeBytes > 2 * snapshotBytes + COMPACT_SLACK_BYTES) {
        await rewrite(); // the state holds these entries already
      } else {
        await appendGroup(entries);
        if (syncDue()) {
          await file.sync();
          counts.fsync();
          unsyncedSinceMs = undefined;
        }
      }
      if (failedAtMs !== undefined) logger.warn('the journal is written again');
      failedAtMs = undefined;
      counts.failing(false);
    } catch (error) {
      if (failedAtMs === undefined) {
        logger.error(
          { err: error },
          `the journal cannot be written: ${messageOf(error)}. Delivery goes on; if the agent dies now, lines are sent twice. ` +
            'Make room on, or repair, the disk of stateDir',
        );
      }
      failedAtMs = nowMs;
      counts.failing(true);
    }
  };

  // A snapshot at every start cuts a torn tail off, and shows at once whether the disk takes writes.
  await writeGroup([], true);

  const flush = (): Promise<void> => {
    if (scheduled !== undefined) return scheduled;
    if (queued.length === 0 && !syncDue() && failedAtMs === undefined) return writing;
    scheduled = writing.then(() => {
      scheduled = undefined;
      const entries = queued;
      queued = [];
      return writeGroup(entries, false);
    });
    writing = scheduled;
    return scheduled;
  };

  const append = (...entries: Entry[]): void => {
    for (const entry of entries) apply(state, entry);
    if (queued.length === 0) queuedSinceMs = clock.monotonicMs();
    queued.push(...entries);
  };

  return {
    state,
    closeGap: () => append({ t: 'life', boot, sure: isSynced }),
    append,
    flush,
    flushLeftMs: () => {
      const writeAtMs = queued.length > 0 ? queuedSinceMs + FLUSH_AFTER_MS : Infinity;
      const synced = unsyncedSinceMs === undefined || policy.fsync === 'never';
      const syncAtMs = synced ? Infinity : unsyncedSinceMs! + policy.fsyncIntervalMs;
      const repairAtMs = failedAtMs === undefined ? -Infinity : failedAtMs + REPAIR_INTERVAL_MS;
      const dueMs = failedAtMs === undefined ? Math.min(writeAtMs, syncAtMs) : repairAtMs;
      return dueMs - clock.monotonicMs();
    },
    close: async () => {
      if (state.gap === undefined) append({ t: 'life', boot, sure: true });
      await flush();
      try {
        if (failedAtMs === undefined && unsyncedSinceMs !== undefined) await file.sync();
        await file.close();
      } catch (error) {
        logger.error(
          { err: error },
          `the journal could not be forced to disk at the end: ${messageOf(error)}`,
        );
      }
    },
  };
}
