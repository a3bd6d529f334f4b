/** The lines of a batch that is still in memory, for when they are gone from their files and the batch cannot go as it is. */
import { isSkaldError } from '../../shared/errors.ts';
import { delimiterOf, LINES } from '../../shared/framing/framing.ts';
import { crc32c } from '../../shared/wire/crc32c.ts';
import { findProvenance } from '../../shared/wire/decode-records.ts';
import type { ProvenanceRange } from '../../shared/wire/provenance.ts';
import { verifyBatch } from '../../shared/wire/record-batch.ts';
import { walkRecords } from '../../shared/wire/walk-records.ts';
import type { Intent, IntentRange } from '../checkpoint/entries.ts';
import { type Decompress, MAX_UNPACKED_BYTES } from './own-batches.ts';
import type { SealedBatch } from './partition-sender.ts';

/** Bytes of files, by the range of the intent that they are. */
export type HeldLines = ReadonlyMap<IntentRange, Uint8Array>;

/**
 * What a file held is its records with a line break behind each. Where records were cut, converted, left out, or have keys,
 * it is not: a range is given only when its checksum says that these are its bytes.
 */
export async function heldLines({ intent, bytes }: SealedBatch, decompress: Decompress): Promise<HeldLines> {
  const delimiter = intent.keying === undefined ? delimiterOf(intent.framing ?? LINES) : undefined;
  if (delimiter === undefined) return new Map();
  try {
    const { values, ranges } = await unpacked(bytes, decompress);
    return inRanges(intent, values, ranges, delimiter);
  } catch (error) {
    if (isSkaldError(error)) return new Map(); // damaged in memory, which may be why it was refused
    throw error;
  }
}

async function unpacked(
  bytes: Uint8Array,
  decompress: Decompress,
): Promise<{ values: Uint8Array[]; ranges: readonly ProvenanceRange[] }> {
  const header = verifyBatch(bytes, { start: 0, end: bytes.length });
  const section = await decompress(bytes, header, MAX_UNPACKED_BYTES);
  const values: Uint8Array[] = [];
  let ranges: readonly ProvenanceRange[] = [];
  walkRecords(section, header, (_offset, _time, _key, _keyEnd, value, valueEnd, from, to) => {
    if (values.length === 0) ranges = findProvenance(section, from, to)?.ranges ?? [];
    values.push(section.subarray(value, valueEnd));
  });
  return { values, ranges };
}

function inRanges(
  { ranges }: Intent,
  values: readonly Uint8Array[],
  counts: readonly ProvenanceRange[],
  delimiter: Uint8Array,
): HeldLines {
  const held = new Map<IntentRange, Uint8Array>();
  let at = 0;
  for (const [i, range] of ranges.entries()) {
    const records = counts[i]?.records ?? 0;
    const pieces = values.slice(at, at + records).flatMap((value) => [value, delimiter]);
    const bytes = Buffer.concat(range.terminated ? pieces : pieces.slice(0, -1));
    if (crc32c(bytes) === range.crc32c && bytes.length === range.end - range.start) held.set(range, bytes);
    at += records;
  }
  return held;
}
