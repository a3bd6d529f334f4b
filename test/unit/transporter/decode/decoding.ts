import type { WritableCodecName } from '../../../../shared/codec/codec.ts';
import { encodeRecordBatch } from '../../../../shared/wire/encode-records.ts';
import {
  type DecodedRange,
  type DecodeLayout,
  decodeRange,
} from '../../../../transporter/decode/decode-range.ts';

export const NOON = Date.parse('2026-07-31T12:00:00Z');

export interface SomeRecord {
  key?: string | Uint8Array | null;
  value: string | Uint8Array | null;
  timestampMs?: number;
  headers?: readonly { key: string; value: Uint8Array | null }[];
}

/** A record batch with the base offset that the broker gave it (the CRC does not cover it). */
export async function batchOf(
  baseOffset: number,
  records: readonly SomeRecord[],
  codec: WritableCodecName = 'lz4',
): Promise<Uint8Array> {
  const bytesOf = (text: string | Uint8Array | null): Uint8Array | null =>
    typeof text === 'string' ? Buffer.from(text) : text;
  const inputs = records.map(({ key = null, value, timestampMs = NOON, headers = [] }) => ({
    key: bytesOf(key),
    value: bytesOf(value),
    timestampMs,
    headers: [...headers],
  }));
  const batch = Buffer.from(await encodeRecordBatch(inputs, { codec }));
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  return new Uint8Array(batch);
}

/** Decodes batches of partition 3 of the topic `logs`, without compression unless the layout says otherwise. */
export function decodeAs(
  layout: Partial<DecodeLayout>,
  recordSets: Uint8Array[],
  range: { from?: number; to?: number; maxBuckets?: number } = {},
): Promise<DecodedRange> {
  return decodeRange({
    topic: 'logs',
    partition: 3,
    recordSets,
    fromOffset: range.from ?? 0,
    toOffset: range.to ?? Number.MAX_SAFE_INTEGER,
    maxBuckets: range.maxBuckets ?? 1000,
    layout: {
      bucket: 'hour',
      timeZone: 'UTC',
      time: { type: 'timestamp' },
      format: 'lines',
      columns: [],
      codec: 'none',
      ...layout,
    },
  });
}

export const textOf = ({ bytes }: { bytes: Uint8Array }): string => Buffer.from(bytes).toString();

/** Each line of JSON text, parsed. */
export function jsonLines(text: string): unknown[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line));
}
