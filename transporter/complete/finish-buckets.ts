import type { TopicConfig } from '../../shared/config/topic-config.ts';
import type { BucketSpan } from '../decode/time-bucket.ts';
import type { Listing } from '../store/object-store.ts';
import { type BucketCalendar, bucketCalendar } from './bucket-calendar.ts';
import { bucketFolderLevels, labelOf } from './bucket-folder.ts';

export interface FinishOptions {
  config: TopicConfig;
  /** Every bucket that ended by then is finished already; see Progress. */
  marked: number | undefined;
  /** The time up to which the topic is complete. */
  through: number;
  /** Finishes one. Rejects when it has to be tried again later. */
  finish: (bucket: BucketSpan) => Promise<void>;
  /** Everything up to this time is finished. */
  onMarked: (markedMs: number) => void;
  list: (folder: string) => Promise<Listing>;
  signal: AbortSignal;
}

/** Whether there is anything to finish. */
export function isBucketOver(
  { bucket, timeZone }: TopicConfig,
  marked: number | undefined,
  through: number,
): boolean {
  if (marked === undefined || marked === 0) return true;
  return bucketCalendar(bucket, timeZone).find(marked).endMs <= through;
}

/** The end of the last bucket that is over. */
export function lastEndMs({ bucket, timeZone }: TopicConfig, through: number): number {
  return Math.max(1, bucketCalendar(bucket, timeZone).find(through).startMs);
}

/**
 * Finishes every bucket of a topic between what is finished and what is complete, in the order of time; those
 * without a record too, or whoever waits for an hour would wait for ever. When the group has just begun with the
 * topic, what it found in the log may be of any time: then those buckets that have a folder are finished.
 * @throws SkaldError of the store, or the signal's reason
 */
export async function finishBuckets(options: FinishOptions): Promise<void> {
  const { config, marked, through, onMarked, signal } = options;
  const calendar = bucketCalendar(config.bucket, config.timeZone);
  if (marked === undefined || marked === 0) {
    if (marked === 0 && config.success) await finishFound(options, calendar);
    onMarked(lastEndMs(config, through));
    return;
  }
  for (let next = calendar.find(marked); next.endMs <= through; next = calendar.find(next.endMs)) {
    signal.throwIfAborted();
    const whole = calendar.wholeOf(next.label);
    // Where the clock shows its time twice, the second ends it.
    if (config.success && whole?.endMs === next.endMs) await options.finish(whole);
    onMarked(next.endMs);
  }
}

async function finishFound(options: FinishOptions, calendar: BucketCalendar): Promise<void> {
  const labels = await labelsInStore(options);
  const buckets = labels.flatMap((label) => calendar.wholeOf(label) ?? []);
  for (const bucket of buckets.sort((a, b) => a.startMs - b.startMs)) {
    if (bucket.endMs <= options.through) await options.finish(bucket);
  }
}

/** One list request for each folder above those of buckets, such as one for each day. */
async function labelsInStore({ config, list }: FinishOptions): Promise<string[]> {
  const { root, levels } = bucketFolderLevels(config, config.topic);
  let found = [{ folder: root, fields: {} as Readonly<Record<string, string>> }];
  for (const level of levels) {
    const below: typeof found = [];
    for (const { folder, fields } of found) {
      for (const name of (await list(folder)).folders) {
        const match = level.exec(name);
        if (match !== null)
          below.push({ folder: `${folder}${name}/`, fields: { ...fields, ...match.groups } });
      }
    }
    found = below;
  }
  return found.map(({ fields }) => labelOf(fields));
}
