import type { WritableCodecName } from '../codec/codec.ts';
import { compress } from '../codec/compress.ts';
import type { OwnBytes } from '../codec/views.ts';
import { RECORDS_AT, writeBatchHeader } from './record-batch.ts';
import { type RecordFields, type RecordHeader, sizeOfRecord, writeRecord } from './record.ts';

export interface RecordInput {
  key?: Uint8Array | null;
  value: Uint8Array | null;
  headers?: readonly RecordHeader[];
  /** Milliseconds since 1970, a whole number. */
  timestampMs: number;
}

/**
 * The records as one RecordBatch v2 with base offset 0 and no producer, in a buffer of its own; sealBatch
 * gives it an identity. For records with keys and headers in modest numbers: encodeLineBatch is the way for
 * log lines. An empty batch is a RangeError.
 */
export async function encodeRecordBatch(
  records: readonly RecordInput[],
  options: { codec: WritableCodecName; level?: number | undefined },
): Promise<OwnBytes> {
  const first = records[0];
  if (first === undefined) throw new RangeError('a record batch needs a record');
  const baseTimestampMs = first.timestampMs;
  let maxTimestampMs = baseTimestampMs;
  let sectionBytes = 0;
  const fields = records.map((record, offsetDelta): RecordFields => {
    const { key = null, value, headers = [], timestampMs } = record;
    maxTimestampMs = Math.max(maxTimestampMs, timestampMs);
    return { timestampDeltaMs: timestampMs - baseTimestampMs, offsetDelta, key, value, headers };
  });
  for (const record of fields) sectionBytes += sizeOfRecord(record);
  const section = Buffer.allocUnsafe(sectionBytes);
  let at = 0;
  for (const record of fields) at = writeRecord(section, at, record);
  const { codec, level } = options;
  const batch = await compress(codec, section, { level, headroom: RECORDS_AT });
  const recordCount = records.length;
  const lastOffsetDelta = recordCount - 1;
  writeBatchHeader(batch, { codec, lastOffsetDelta, baseTimestampMs, maxTimestampMs, recordCount });
  return batch;
}
