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
const CONTENT_TYPE: Readonly<Record<CodecName, string>> = {
  zstd: 'application/zstd',
  lz4: 'application/octet-stream',
  gzip: 'application/gzip',
  none: 'text/plain',
};

export interface ObjectPlace {
  topic: string;
  partition: number;
  /** Start of the time bucket on the wall clock of the layout's zone, `YYYY-MM-DDTHH:MM`. */
  bucketLabel: string;
  /** Offset of the object's first record. */
  firstOffset: number;
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
    firstOffset: String(place.firstOffset),
    yyyy: label.slice(0, 4),
    mm: label.slice(5, 7),
    dd: label.slice(8, 10),
    hh: label.slice(11, 13),
    mi: label.slice(14, 16),
    ext: `log${CODEC_EXTENSION[layout.codec]}`,
  } satisfies Record<TemplateField, string>;
  return templateParts(layout.template)
    .map((part) => ('literal' in part ? part.literal : (value[part.field] ?? '')))
    .join('');
}

/** The name of a record batch that could not be decoded, with the bytes as the broker gave them. */
export function quarantineName(
  layout: Layout,
  { topic, partition, baseOffset }: { topic: string; partition: number; baseOffset: number },
): string {
  return `${layout.prefix}/quarantine/${topic}/${partition}-${baseOffset}.batch`;
}

export function contentType(layout: Layout): string {
  return CONTENT_TYPE[layout.codec];
}
