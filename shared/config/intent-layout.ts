import { z } from 'zod';
import type { ColumnConfig } from './column-config.ts';
import { objectsSchema } from './objects-config.ts';
import type { TopicConfig } from './topic-config.ts';

/**
 * All that the names and contents of objects depend on besides the records. The intent of a chunk holds it in
 * the metadata of an offset, where brokers allow 4,096 bytes, so it is written in few of them; and its form is
 * one that later versions must read.
 */
export type IntentLayout = Pick<
  TopicConfig,
  'prefix' | 'template' | 'bucket' | 'timeZone' | 'time' | 'format' | 'columns' | 'codec' | 'level'
>;

/** The broker's default for `offset.metadata.max.bytes`. */
export const MAX_METADATA_BYTES = 4096;

/** The rest of an intent is five numbers, a version, the id of a topic, and three leader epochs with their offsets. */
export const MAX_LAYOUT_BYTES = MAX_METADATA_BYTES - 320;

/** Plain data for JSON.stringify. What older versions did not know is only there where it says something. */
export function packLayout(layout: IntentLayout): object {
  const { prefix, template, bucket, timeZone, time, format, columns, codec, level } = layout;
  return {
    prefix,
    template,
    bucket,
    timeZone,
    ...(time.type !== 'timestamp' && { time }),
    format,
    ...(columns.length > 0 && { columns: columns.map(packColumn) }),
    codec,
    level,
  };
}

/** Reads what packLayout wrote, of this version or an older one; refuses what it does not know. */
export const packedLayoutSchema = z.preprocess(unpack, objectsSchema);

export function packedBytes(layout: IntentLayout): number {
  return Buffer.byteLength(JSON.stringify(packLayout(layout)));
}

/** A column is the list of its values in this order, without what is missing at its end. */
const COLUMN_KEYS = ['name', 'type', 'field', 'format', 'timeZone'] as const;

function packColumn(column: ColumnConfig): (string | null)[] {
  const packed = COLUMN_KEYS.map((key) => column[key] ?? null);
  return packed.slice(0, packed.findLastIndex((value) => value !== null) + 1);
}

function unpack(packed: unknown): unknown {
  if (typeof packed !== 'object' || packed === null || !('columns' in packed)) return packed;
  const { columns } = packed;
  return { ...packed, columns: Array.isArray(columns) ? columns.map(unpackColumn) : columns };
}

function unpackColumn(packed: unknown): unknown {
  if (!Array.isArray(packed) || packed.length > COLUMN_KEYS.length) return packed;
  const entries = packed.map((value: unknown, index) => [COLUMN_KEYS[index], value] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}
