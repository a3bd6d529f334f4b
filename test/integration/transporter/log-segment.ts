/** The log of a partition as its file on the disk of a broker of the shared stack. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { sharedStack } from '../../support/shared-stack.ts';

/** Positions in a batch (Kafka protocol guide, Record Batch). */
const LENGTH_AT = 8;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const BEFORE_LENGTH_COUNTS = 12;

export interface StoredBatch {
  baseOffset: number;
  lastOffset: number;
  /** A copy. */
  bytes: Buffer;
}

export function partitionFolder(brokerId: number, topic: string): string {
  return join(sharedStack().dataDir, `broker-${brokerId}`, 'data', `${topic}-0`);
}

/** Of partition 0 of a topic whose log is in one segment. */
function segmentPath(brokerId: number, topic: string): string {
  return join(partitionFolder(brokerId, topic), `${'0'.repeat(20)}.log`);
}

export function storedBatches(brokerId: number, topic: string): StoredBatch[] {
  const log = readFileSync(segmentPath(brokerId, topic));
  const batches: StoredBatch[] = [];
  for (let at = 0; at < log.length;) {
    const end = at + BEFORE_LENGTH_COUNTS + log.readInt32BE(at + LENGTH_AT);
    const baseOffset = Number(log.readBigInt64BE(at));
    const lastOffset = baseOffset + log.readInt32BE(at + LAST_OFFSET_DELTA_AT);
    batches.push({ baseOffset, lastOffset, bytes: Buffer.from(log.subarray(at, end)) });
    at = end;
  }
  return batches;
}

/** Writes other bytes of the same length over a batch. A broker reads its log from the file, so it sends them from now on. */
export function damageBatch(
  brokerId: number,
  topic: string,
  index: number,
  damage: (batch: Buffer) => void,
): StoredBatch {
  const batches = storedBatches(brokerId, topic);
  const at = batches.slice(0, index).reduce((sum, { bytes }) => sum + bytes.length, 0);
  const damaged = batches[index]!;
  damage(damaged.bytes);
  const log = readFileSync(segmentPath(brokerId, topic));
  damaged.bytes.copy(log, at);
  writeFileSync(segmentPath(brokerId, topic), log, { flag: 'r+' });
  return damaged;
}

/** The last byte of its last record is another one, and the CRC is not. */
export function failCrc(batch: Buffer): void {
  batch[batch.length - 1]! ^= 0x10;
}

/** A codec that does not exist, under a CRC that is right. */
export function unknownCodec(batch: Buffer): void {
  batch.writeInt16BE(batch.readInt16BE(ATTRIBUTES_AT) | 0x07, ATTRIBUTES_AT);
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT);
}
