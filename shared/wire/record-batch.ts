import { CODEC_IDS, CODEC_NAMES, type CodecName } from '../codec/codec.ts';
import { bufferView } from '../codec/views.ts';
import { SkaldError } from '../errors.ts';
import { crc32c } from './crc32c.ts';
import { wireCorrupt } from './wire-corrupt.ts';

/** Positions of the fields of a RecordBatch v2, big endian. Source: Kafka protocol guide, Record Batch. */
export const BASE_OFFSET_AT = 0;
export const BATCH_LENGTH_AT = 8;
export const LEADER_EPOCH_AT = 12;
export const MAGIC_AT = 16;
export const CRC_AT = 17;
export const ATTRIBUTES_AT = 21;
export const LAST_OFFSET_DELTA_AT = 23;
export const BASE_TIMESTAMP_AT = 27;
export const MAX_TIMESTAMP_AT = 35;
export const PRODUCER_ID_AT = 43;
export const PRODUCER_EPOCH_AT = 51;
export const BASE_SEQUENCE_AT = 53;
export const RECORD_COUNT_AT = 57;
export const RECORDS_AT = 61;

/** Base offset and batch length, which the batch length does not count. */
export const LENGTH_PREFIX_BYTES = 12;
/** Length, attributes, two deltas, key and value length, and header count: one byte each at least. */
export const MIN_RECORD_BYTES = 7;
const MAGIC = 2;
const CODEC_MASK = 0x07;

/** Where a batch lies in a buffer: bytes[start, end). */
export interface BatchSpan {
  start: number;
  end: number;
}

/** The offsets that a batch may hold, when the reader knows: both ends belong to it. */
export interface OffsetBounds {
  minOffset?: number;
  maxOffset?: number;
}

/** Offsets and timestamps (ms since 1970) are exact numbers: larger ones than 2^53 - 1 are refused. */
export interface BatchHeader extends BatchSpan {
  baseOffset: number;
  lastOffset: number;
  /** -1 when unknown. Nothing protects it, see verifyBatch. */
  leaderEpoch: number;
  codec: CodecName;
  /** The broker's clock gave every record the batch's maximum timestamp. */
  isLogAppendTime: boolean;
  isTransactional: boolean;
  /** Its records are transaction markers, not data. */
  isControl: boolean;
  lastOffsetDelta: number;
  baseTimestampMs: number;
  maxTimestampMs: number;
  producerId: bigint;
  producerEpoch: number;
  baseSequence: number;
  /** After compaction there may be fewer records than offsets, even none. */
  recordCount: number;
}

/**
 * The header of the batch at bytes[start, end), with lengths, magic, codec, counts and offsets checked for
 * plausibility. The CRC is not looked at: this is for planning on a thread that only moves bytes; call
 * verifyBatch before any record is believed. Throws WIRE_CORRUPT, or WIRE_UNSUPPORTED for another magic or
 * codec. The bounds are those of verifyBatch.
 */
export function readBatchHeader(bytes: Uint8Array, span: BatchSpan, bounds: OffsetBounds = {}): BatchHeader {
  const buffer = bufferView(bytes);
  const { start, end } = span;
  checkEnvelope(buffer, span);
  const attributes = buffer.readInt16BE(start + ATTRIBUTES_AT);
  const codec = CODEC_NAMES[attributes & CODEC_MASK];
  if (codec === undefined) throw unsupported(start + ATTRIBUTES_AT, `codec ${attributes & CODEC_MASK}`);
  const { baseOffset, lastOffset, lastOffsetDelta } = readBatchOffsets(bytes, span, bounds);
  const recordCount = buffer.readInt32BE(start + RECORD_COUNT_AT);
  const sectionBytes = end - start - RECORDS_AT;
  const maxCount = codec === 'none' ? Math.floor(sectionBytes / MIN_RECORD_BYTES) : Infinity;
  if (recordCount < 0 || recordCount > Math.min(lastOffsetDelta + 1, maxCount)) {
    throw wireCorrupt(start + RECORD_COUNT_AT, 'a record count that the offsets and the bytes can hold');
  }
  return {
    start,
    end,
    baseOffset,
    lastOffset,
    leaderEpoch: buffer.readInt32BE(start + LEADER_EPOCH_AT),
    codec,
    isLogAppendTime: (attributes & 0x08) !== 0,
    isTransactional: (attributes & 0x10) !== 0,
    isControl: (attributes & 0x20) !== 0,
    lastOffsetDelta,
    baseTimestampMs: readSafeInt64(buffer, start + BASE_TIMESTAMP_AT, 'a base timestamp'),
    maxTimestampMs: readSafeInt64(buffer, start + MAX_TIMESTAMP_AT, 'a maximum timestamp'),
    producerId: buffer.readBigInt64BE(start + PRODUCER_ID_AT),
    producerEpoch: buffer.readInt16BE(start + PRODUCER_EPOCH_AT),
    baseSequence: buffer.readInt32BE(start + BASE_SEQUENCE_AT),
    recordCount,
  };
}

/**
 * Where the batch at bytes[start, end) stands in its partition, which can be known although its codec or another field
 * makes no sense. Nothing is verified. Throws WIRE_CORRUPT, or WIRE_UNSUPPORTED for another magic.
 */
export function readBatchOffsets(
  bytes: Uint8Array,
  span: BatchSpan,
  bounds: OffsetBounds = {},
): Pick<BatchHeader, 'baseOffset' | 'lastOffset' | 'lastOffsetDelta'> {
  const buffer = bufferView(bytes);
  const { start } = span;
  checkEnvelope(buffer, span);
  const lastOffsetDelta = buffer.readInt32BE(start + LAST_OFFSET_DELTA_AT);
  if (lastOffsetDelta < 0)
    throw wireCorrupt(start + LAST_OFFSET_DELTA_AT, 'a last offset delta of 0 or more');
  const baseOffset = readSafeInt64(buffer, start + BASE_OFFSET_AT, 'a base offset');
  const lastOffset = baseOffset + lastOffsetDelta;
  checkOffsets(start, baseOffset, lastOffset, bounds);
  return { baseOffset, lastOffset, lastOffsetDelta };
}

/**
 * readBatchHeader after a check of the CRC. Throws WIRE_CORRUPT for any damage to the batch except in these
 * bytes, which the CRC does not cover because brokers write them after the producer has computed it:
 * - 0 to 7, the base offset: only the caller can know what to expect. Give `bounds`: the base offset may not
 *   be less than minOffset, nor the last offset more than maxOffset. When reading a partition on, minOffset
 *   is the last offset of the batch before plus one, and maxOffset the high watermark minus one. The first
 *   batch of a Fetch answer may start before the offset asked for; require that its lastOffset reaches it.
 * - 12 to 15, the partition leader's epoch: nothing can protect it. Use it for nothing that matters.
 *
 * The batch length (8 to 11) and the magic (16) are outside too, but a wrong value of either is refused for
 * what it says.
 */
export function verifyBatch(bytes: Uint8Array, span: BatchSpan, bounds: OffsetBounds = {}): BatchHeader {
  const buffer = bufferView(bytes);
  checkEnvelope(buffer, span);
  if (crc32c(bytes, span.start + ATTRIBUTES_AT, span.end) !== buffer.readUInt32BE(span.start + CRC_AT)) {
    throw wireCorrupt(span.start + CRC_AT, 'the CRC-32C of the bytes that follow');
  }
  return readBatchHeader(bytes, span, bounds);
}

export interface BatchHeaderFields {
  codec: CodecName;
  lastOffsetDelta: number;
  baseTimestampMs: number;
  maxTimestampMs: number;
  recordCount: number;
}

/**
 * Makes `batch`, whose records start at byte 61, a whole RecordBatch: base offset 0, leader epoch -1, no
 * producer (-1), and the CRC. Nothing may change afterwards, except through sealBatch.
 */
export function writeBatchHeader(batch: Uint8Array, fields: BatchHeaderFields): void {
  const buffer = bufferView(batch);
  buffer.writeBigInt64BE(0n, BASE_OFFSET_AT);
  buffer.writeInt32BE(batch.length - LENGTH_PREFIX_BYTES, BATCH_LENGTH_AT);
  buffer.writeInt32BE(-1, LEADER_EPOCH_AT);
  buffer.writeInt8(MAGIC, MAGIC_AT);
  buffer.writeInt16BE(CODEC_IDS[fields.codec], ATTRIBUTES_AT);
  buffer.writeInt32BE(fields.lastOffsetDelta, LAST_OFFSET_DELTA_AT);
  buffer.writeBigInt64BE(BigInt(fields.baseTimestampMs), BASE_TIMESTAMP_AT);
  buffer.writeBigInt64BE(BigInt(fields.maxTimestampMs), MAX_TIMESTAMP_AT);
  buffer.writeInt32BE(fields.recordCount, RECORD_COUNT_AT);
  sealBatch(batch, { producerId: -1n, producerEpoch: -1, baseSequence: -1 });
}

/** What the broker removes duplicates by, besides the partition (KIP-98). */
export interface ProducerIdentity {
  producerId: bigint;
  producerEpoch: number;
  baseSequence: number;
}

/** Puts the producer's identity into a whole batch, in place, and computes its CRC anew. */
export function sealBatch(batch: Uint8Array, identity: ProducerIdentity): void {
  const buffer = bufferView(batch);
  buffer.writeBigInt64BE(identity.producerId, PRODUCER_ID_AT);
  buffer.writeInt16BE(identity.producerEpoch, PRODUCER_EPOCH_AT);
  buffer.writeInt32BE(identity.baseSequence, BASE_SEQUENCE_AT);
  buffer.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT);
}

/** The length and the magic, without which no other field is where it should be. */
function checkEnvelope(buffer: Buffer, { start, end }: BatchSpan): void {
  if (end > buffer.length || end - start < RECORDS_AT) {
    throw wireCorrupt(start, `a record batch of at least ${RECORDS_AT} bytes`);
  }
  if (buffer[start + MAGIC_AT] !== MAGIC)
    throw unsupported(start + MAGIC_AT, `magic ${buffer[start + MAGIC_AT]}`);
  const length = end - start - LENGTH_PREFIX_BYTES;
  if (buffer.readInt32BE(start + BATCH_LENGTH_AT) !== length) {
    throw wireCorrupt(start + BATCH_LENGTH_AT, `a batch length of ${length}`);
  }
}

function checkOffsets(
  start: number,
  base: number,
  last: number,
  { minOffset = 0, maxOffset }: OffsetBounds,
): void {
  const max = maxOffset ?? Number.MAX_SAFE_INTEGER;
  if (base < minOffset || last > max) {
    throw wireCorrupt(start + BASE_OFFSET_AT, `offsets from ${minOffset} to ${max}, not ${base} to ${last}`);
  }
}

function readSafeInt64(buffer: Buffer, at: number, what: string): number {
  const value = buffer.readInt32BE(at) * 2 ** 32 + buffer.readUInt32BE(at + 4);
  if (!Number.isSafeInteger(value)) throw wireCorrupt(at, `${what} within 2^53`);
  return value;
}

function unsupported(byte: number, found: string): SkaldError {
  return new SkaldError('WIRE_UNSUPPORTED', `record batch with ${found} at byte ${byte}`, {
    where: { byte },
  });
}
