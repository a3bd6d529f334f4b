import { decompress } from '../codec/decompress.ts';
import { bufferView } from '../codec/views.ts';
import { PROVENANCE_HEADER, type Provenance, decodeProvenance } from './provenance.ts';
import {
  type BatchHeader,
  type BatchSpan,
  type OffsetBounds,
  RECORDS_AT,
  verifyBatch,
} from './record-batch.ts';
import type { RecordHeader } from './record.ts';
import { walkHeaders, walkRecords } from './walk-records.ts';

export interface DecodedRecord {
  offset: number;
  timestampMs: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: RecordHeader[];
}

export interface DecodedBatch {
  header: BatchHeader;
  records: DecodedRecord[];
}

/**
 * The records of a verified batch, decompressed, for walkRecords. It may share memory with `bytes`. Throws
 * CODEC_FAILED for what the codec refuses or what is larger than `maxOutputBytes`. See decompress for when
 * `bytes` may be reused.
 */
export async function decompressRecords(
  bytes: Uint8Array,
  header: BatchHeader,
  maxOutputBytes: number,
): Promise<Uint8Array> {
  const section = bytes.subarray(header.start + RECORDS_AT, header.end);
  // A batch that compaction has emptied keeps its header and has no frame of its codec. walkRecords refuses
  // records that are not there.
  if (section.length === 0) return section;
  return decompress(header.codec, section, maxOutputBytes);
}

/**
 * A verified batch as objects, for tests, tools and small topics. Keys and values are views into the
 * decompressed section. Throws what verifyBatch, decompressRecords and walkRecords throw.
 */
export async function decodeRecords(
  bytes: Uint8Array,
  options: { span?: BatchSpan; bounds?: OffsetBounds; maxOutputBytes: number },
): Promise<DecodedBatch> {
  const span = options.span ?? { start: 0, end: bytes.length };
  const header = verifyBatch(bytes, span, options.bounds);
  const section = await decompressRecords(bytes, header, options.maxOutputBytes);
  const records: DecodedRecord[] = [];
  walkRecords(section, header, (offset, timestampMs, keyStart, keyEnd, valueStart, valueEnd, from, to) => {
    const key = viewOf(section, keyStart, keyEnd);
    const value = viewOf(section, valueStart, valueEnd);
    records.push({ offset, timestampMs, key, value, headers: headersOf(section, from, to) });
  });
  return { header, records };
}

/**
 * The provenance among a record's headers, at the positions that walkRecords gave; undefined when it has
 * none. Throws WIRE_CORRUPT when it is damaged.
 */
export function findProvenance(
  section: Uint8Array,
  headersStart: number,
  headersEnd: number,
): Provenance | undefined {
  let provenance: Provenance | undefined;
  const text = bufferView(section);
  walkHeaders(section, headersStart, headersEnd, (keyStart, keyEnd, valueStart, valueEnd) => {
    if (valueStart < 0 || text.toString('latin1', keyStart, keyEnd) !== PROVENANCE_HEADER) return;
    provenance ??= decodeProvenance(section.subarray(valueStart, valueEnd));
  });
  return provenance;
}

function headersOf(section: Uint8Array, start: number, end: number): RecordHeader[] {
  const headers: RecordHeader[] = [];
  const text = bufferView(section);
  walkHeaders(section, start, end, (keyStart, keyEnd, valueStart, valueEnd) => {
    headers.push({
      key: text.toString('utf8', keyStart, keyEnd),
      value: viewOf(section, valueStart, valueEnd),
    });
  });
  return headers;
}

function viewOf(section: Uint8Array, start: number, end: number): Uint8Array | null {
  return start < 0 ? null : section.subarray(start, end);
}
