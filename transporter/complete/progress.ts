import { z } from 'zod';
import { type EpochStart, MAX_COMMITTED_EPOCHS } from '../fetch/leader-epochs.ts';

/**
 * How far a partition is in time. It travels in the metadata of the committed offset, beside an intent or alone,
 * so that it is as durable as the offset, fenced with it, and there for anybody who can read the group's offsets.
 */
export interface Progress {
  /**
   * Unix milliseconds. Every record of the partition that was in its log when the log's clock, less the grace,
   * showed this time is stored under the committed offset. A record of an earlier bucket that comes after is late.
   * It never goes back. Undefined until it is known for the first time.
   */
  through?: number | undefined;
  /**
   * Only in a topic's partition 0, Unix milliseconds: every bucket of the topic that ended by then is finished. 0
   * when the group has just begun with the topic, and what it finds in the log may be of any time.
   */
  marked?: number | undefined;
  /**
   * Beside `marked` when it is later: every bucket that ended by then is about to be finished. A partition that the
   * group begins with from now on is late for it: whoever finishes it may have looked for partitions already.
   */
  closed?: number | undefined;
  /**
   * Which log the offset is of: the id of the topic (KIP-516), which is another one when the topic was deleted and
   * made anew; and behind a dot, when the log was cut off, the epoch of the leader that said so. Undefined from brokers
   * that have no ids.
   */
  log?: string | undefined;
  /** Which leaders wrote the log before the offset, the last few: tells whether it is still that log. */
  epochs?: readonly EpochStart[] | undefined;
}

/** Years beyond 9999 are no times of ours; and so many digits fit into the metadata. */
const timeMs = z.int().nonnegative().max(253_402_300_799_999);

/** A topic's id in base64url has 22, an offset at most 16 digits. */
const MAX_LOG_CHARS = 40;

const MAX_EPOCH = 2 ** 31 - 1;

/** In few bytes, as [epoch, offset]. */
const epochStart = z
  .tuple([z.int().nonnegative().max(MAX_EPOCH), z.int().nonnegative()])
  .transform(([epoch, offset]): EpochStart => ({ epoch, offset }));

const progressSchema = z.object({
  through: timeMs.optional(),
  marked: timeMs.optional(),
  closed: timeMs.optional(),
  log: z.string().max(MAX_LOG_CHARS).optional(),
  epochs: z.array(epochStart).max(MAX_COMMITTED_EPOCHS).optional(),
});

/** The keys of `progress` that an intent has among its own. */
export const progressShape = progressSchema.shape;

/** As JSON for metadata without an intent; empty when nothing is known. */
export function encodeProgress(progress: Progress): string {
  const packed = packProgress(progress);
  return Object.values(packed).every((value) => value === undefined) ? '' : JSON.stringify(packed);
}

/** Plain data for JSON.stringify. */
export function packProgress({ through, marked, closed, log, epochs = [] }: Progress) {
  const starts = epochs.map(({ epoch, offset }) => [epoch, offset]);
  return { through, marked, closed, log, epochs: starts.length === 0 ? undefined : starts };
}

/** The progress in the metadata of a committed offset, beside an intent or not; of anything else, none. */
export function decodeProgress(metadata: string): Progress {
  if (!/^\{"(skald|through|marked|closed|log|epochs)":/.test(metadata)) return {};
  try {
    return progressSchema.parse(JSON.parse(metadata));
  } catch {
    return {}; // another program's, or cut off: completeness begins anew, and an intent is refused elsewhere
  }
}
