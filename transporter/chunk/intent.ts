import { z } from 'zod';
import { MAX_METADATA_BYTES, packedLayoutSchema, packLayout } from '../../shared/config/intent-layout.ts';
import { messageOf, SkaldError } from '../../shared/errors.ts';
import { packProgress, type Progress, progressShape } from '../complete/progress.ts';
import type { Layout } from './layout.ts';

/**
 * A promise, committed as the offset's metadata before anything is uploaded: the records from the committed
 * offset up to `end` become objects under `layout`, and no other cut of them is ever made. Whoever owns the
 * partition next keeps it.
 */
export interface Intent {
  /** Exclusive. */
  end: number;
  /** Bytes of the finished objects: what a new owner must hold in memory to make them again. */
  objectBytes: number;
  /**
   * Everything that names and contents depend on, so that a changed configuration does not move a promised
   * chunk.
   */
  layout: Layout;
}

/** Version 1 had no progress, version 2 no epochs. */
const VERSION = 3;

const intentSchema = z.strictObject({
  skald: z.literal([1, 2, VERSION], { error: `is of a later version than ${VERSION}` }),
  end: z.int().nonnegative(),
  objectBytes: z.int().nonnegative(),
  layout: packedLayoutSchema,
  ...progressShape,
});

/**
 * With the partition's progress beside it, as it was before.
 * @throws SkaldError CONFIG_INVALID when the layout is so long that the broker would refuse the intent
 */
export function encodeIntent({ end, objectBytes, layout }: Intent, progress: Progress): string {
  const text = JSON.stringify({
    skald: VERSION,
    end,
    objectBytes,
    layout: packLayout(layout),
    ...packProgress(progress),
  });
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_METADATA_BYTES) {
    throw new SkaldError(
      'CONFIG_INVALID',
      `The intent of a chunk takes ${bytes} bytes of offset metadata and brokers allow ${MAX_METADATA_BYTES}: use fewer columns, or shorter names, fields and patterns.`,
    );
  }
  return text;
}

/**
 * The intent in the metadata of the offset `start`; undefined when there is none, also when the metadata is
 * some other program's.
 * @throws SkaldError INTENT_UNREADABLE when it is an intent that this version cannot keep
 */
export function decodeIntent(metadata: string, start: number): Intent | undefined {
  if (!metadata.startsWith('{"skald":')) return undefined;
  try {
    const { end, objectBytes, layout } = intentSchema.parse(JSON.parse(metadata));
    if (end <= start) throw new RangeError(`it ends at ${end}, before its start ${start}`);
    return { end, objectBytes, layout };
  } catch (error) {
    throw new SkaldError('INTENT_UNREADABLE', `The committed intent cannot be read: ${messageOf(error)}.`, {
      cause: error,
      where: { metadata },
    });
  }
}
