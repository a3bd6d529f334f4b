import { type ErrorCode, SkaldError } from '../../shared/errors.ts';
import {
  BASE_OFFSET_AT,
  type BatchHeader,
  type BatchSpan,
  RECORD_COUNT_AT,
  RECORDS_AT,
  verifyBatch,
} from '../../shared/wire/record-batch.ts';

/** A batch that gave no records: its CRC, its codec or its content is wrong. */
export interface UndecodableBatch {
  /** As the header claims it, or where it was met when the claim is impossible. */
  baseOffset: number;
  /** As the header claims it; how many there really are nobody knows. */
  records: number;
  reason: ErrorCode;
  message: string;
}

/** Where a batch was met: in a range of offsets, behind the batches before it. */
export interface BatchPlace {
  fromOffset: number;
  toOffset: number;
  expectedOffset: number;
}

/**
 * The header after all checks. The CRC does not cover the base offset, but batches follow each other: one
 * that goes back is damaged, or its records came before. Only the first may begin before the range does.
 * @throws SkaldError WIRE_CORRUPT, WIRE_UNSUPPORTED
 */
export function verifiedHeader(
  recordSet: Uint8Array,
  span: BatchSpan,
  { fromOffset, toOffset, expectedOffset }: BatchPlace,
): BatchHeader {
  const header = verifyBatch(recordSet, span);
  const { baseOffset, lastOffset } = header;
  const begins =
    baseOffset >= expectedOffset || (expectedOffset === fromOffset && lastOffset >= expectedOffset);
  if (begins && baseOffset < toOffset) return header;
  throw new SkaldError(
    'WIRE_CORRUPT',
    `offsets ${baseOffset} to ${lastOffset} where ${expectedOffset} to ${toOffset - 1} belong`,
  );
}

export function undecodableBatch(
  recordSet: Uint8Array,
  span: BatchSpan,
  { toOffset, expectedOffset, error }: BatchPlace & { error: SkaldError },
): UndecodableBatch {
  const claimed = claimedOffsets(recordSet.subarray(span.start, span.end));
  const isPlausible = claimed.baseOffset >= expectedOffset && claimed.baseOffset < toOffset;
  const baseOffset = isPlausible ? claimed.baseOffset : expectedOffset;
  return { baseOffset, records: claimed.records, reason: error.code, message: error.message };
}

/** As the bytes of a batch that failed its checks say, wherever they can. */
function claimedOffsets(batch: Uint8Array): { baseOffset: number; records: number } {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  const count = batch.length < RECORDS_AT ? 0 : view.getInt32(RECORD_COUNT_AT);
  return { baseOffset: Number(view.getBigInt64(BASE_OFFSET_AT)), records: Math.max(0, count) };
}
