/** What an earlier process left without an acknowledgement, built again as far as its files still have the bytes. */
import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { messageOf } from '../../shared/errors.ts';
import { sealBatch } from '../../shared/wire/record-batch.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { Intent } from '../checkpoint/entries.ts';
import type { SealedBatch } from './partition-sender.ts';
import { rangesLeft, type Rebuild } from './reidentify.ts';

/** What became of an open batch at the start. */
export type ReplayOutcome = 'resent' | 'found' | 'other-target' | 'source-gone' | 'unreadable';

export interface OpenBatch {
  intent: Intent;
  /** As it was, or what its files still have of it; undefined when that is nothing. */
  left: SealedBatch | undefined;
  /** The bytes are there, as far as anybody knows, and cannot be read now. */
  isUnreadable?: true;
}

export interface RebuildOptions {
  rebuild: Rebuild;
  onReplayed(outcome: ReplayOutcome, batches: number): void;
  clock: Clock;
  random: Random;
  logger: Logger;
  signal: AbortSignal;
}

/** How long the files of an earlier process are waited for, all together: descriptors run out, and servers of files restart. */
export const PATIENCE_MS = 15_000;
const BACKOFF = { baseMs: 250, maxMs: 4_000 };

/** Whether it can go again as it was. */
export function isWhole({ intent, left }: OpenBatch): boolean {
  return left?.intent.records === intent.records && left.intent.ranges.length === intent.ranges.length;
}

export async function rebuildAll(open: readonly Intent[], options: RebuildOptions): Promise<OpenBatch[]> {
  const batches: OpenBatch[] = [];
  const untilMs = options.clock.monotonicMs() + PATIENCE_MS;
  for (const intent of open) {
    try {
      batches.push({
        intent,
        left: await patiently(() => leftOf(intent, options.rebuild), untilMs, options),
      });
    } catch (error) {
      batches.push({ intent, left: undefined, isUnreadable: true });
      options.onReplayed('unreadable', 1);
      options.logger.error(
        { intent: intent.n, ranges: intent.ranges, err: error },
        `a batch that was not acknowledged cannot be read again: ${messageOf(error)}. It waits for the next start of ` +
          'the agent; let its user read the files',
      );
    }
  }
  return batches;
}

/** Tries again for a while. What goes on meanwhile would come before lines that are older. */
export async function patiently<T>(
  work: () => Promise<T>,
  untilMs: number,
  { clock, random, signal }: Pick<RebuildOptions, 'clock' | 'random' | 'signal'>,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || clock.monotonicMs() >= untilMs) throw error;
      await clock.sleep(backoffMs(attempt, BACKOFF, random), signal);
    }
  }
}

/** The whole batch under its identity, or the lines of those of its files that are still there. */
async function leftOf(intent: Intent, rebuild: Rebuild): Promise<SealedBatch | undefined> {
  const whole = await rebuildOne(intent, rebuild);
  if (whole?.intent.records === intent.records) {
    sealBatch(whole.bytes, intent);
    return whole;
  }
  const ranges = await rangesLeft(intent, rebuild);
  const isPart = ranges.length > 0 && ranges.length < intent.ranges.length;
  return isPart ? rebuildOne({ ...intent, ranges }, rebuild) : undefined;
}

/** With the count of records that it has now; without an identity. */
async function rebuildOne(intent: Intent, rebuild: Rebuild): Promise<SealedBatch | undefined> {
  const built = await rebuild(intent, Infinity);
  const part = built?.parts[0];
  if (part === undefined || part.records === 0) return undefined;
  const { batch: bytes, rawBytes, records } = part;
  return { intent: { ...intent, records }, bytes, rawBytes, heldBytes: 0 };
}

/** The lines of several batches of one producer as one, which has the number of the first. */
export function mergeBatches(
  batches: readonly SealedBatch[],
  rebuild: Rebuild,
): Promise<SealedBatch | undefined> {
  const ranges = batches.flatMap(({ intent }) => intent.ranges);
  return rebuildOne({ ...batches[0]!.intent, ranges }, rebuild);
}

/** Batches with the same key together, each group in its old order. */
export function groupsOf(
  batches: readonly OpenBatch[],
  keyOf: (intent: Intent) => number | bigint,
): OpenBatch[][] {
  const groups = new Map<number | bigint, OpenBatch[]>();
  for (const batch of batches) {
    const key = keyOf(batch.intent);
    groups.set(key, [...(groups.get(key) ?? []), batch]);
  }
  return [...groups.values()];
}
