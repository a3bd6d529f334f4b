import type { CodecName } from '../../shared/config/codec-fields.ts';
import { templateParts, type TemplateField } from '../../shared/config/object-layout.ts';
import type { Layout } from './layout.ts';

const CODEC_EXTENSION: Readonly<Record<CodecName, string>> = {
  zstd: '.zst',
  lz4: '.lz4',
  gzip: '.gz',
  none: '',
};

/** Media types by RFC 8878 (zstd) and RFC 6713 (gzip); lz4 has none registered. */
const CODEC_TYPE: Readonly<Record<Exclude<CodecName, 'none'>, string>> = {
  zstd: 'application/zstd',
  lz4: 'application/octet-stream',
  gzip: 'application/gzip',
};

export interface ObjectPlace {
  topic: string;
  partition: number;
  /** Start of the time bucket on the wall clock of the layout's zone, `YYYY-MM-DDTHH:MM`. */
  bucketLabel: string;
  /**
   * The offset at which its chunk begins, not that of its own first record: compaction and retention may take
   * that one away before the object is made again.
   */
  firstOffset: number;
  /** Set for the second name of an object, when another chunk's object has the first. */
  chunkId?: string | undefined;
}

/**
 * The name of an object. A function of its arguments only: whoever makes the object again gives it the same
 * name.
 */
export function objectName(layout: Layout, place: ObjectPlace): string {
  const label = place.bucketLabel;
  const value: Readonly<Record<string, string>> = {
    prefix: layout.prefix,
    topic: place.topic,
    partition: String(place.partition),
    firstOffset: offsetText(place),
    yyyy: label.slice(0, 4),
    mm: label.slice(5, 7),
    dd: label.slice(8, 10),
    hh: label.slice(11, 13),
    mi: label.slice(14, 16),
    ext: extensionOf(layout),
  } satisfies Record<TemplateField, string>;
  return templateParts(layout.template)
    .map((part) => ('literal' in part ? part.literal : (value[part.field] ?? '')))
    .join('');
}

/** The name of what a chunk could not carry. */
export function quarantineName(
  layout: Layout,
  { topic, partition, ...offset }: Omit<ObjectPlace, 'bucketLabel'>,
): string {
  const extension = `jsonl${CODEC_EXTENSION[layout.codec]}`;
  return `${layout.prefix}/quarantine/${topic}/${partition}-${offsetText(offset)}.${extension}`;
}

function offsetText({ firstOffset, chunkId }: Pick<ObjectPlace, 'firstOffset' | 'chunkId'>): string {
  return chunkId === undefined ? String(firstOffset) : `${firstOffset}-${chunkId}`;
}

/** `application/vnd.apache.parquet` is registered with IANA; JSON Lines have no registered type (jsonlines.org). */
export function contentType(layout: Layout): string {
  if (layout.format === 'parquet') return 'application/vnd.apache.parquet';
  return frameType(layout, layout.format === 'lines' ? 'text/plain' : 'application/jsonl');
}

/** Of a list of frames whose text is of `textType`. */
export function frameType({ codec }: Layout, textType: string): string {
  return codec === 'none' ? textType : CODEC_TYPE[codec];
}

function extensionOf({ format, codec }: Layout): string {
  if (format === 'parquet') return 'parquet'; // compressed inside
  return `${format === 'lines' ? 'log' : 'jsonl'}${CODEC_EXTENSION[codec]}`;
}
