import { createHash } from 'node:crypto';
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';

/** A partition of a topic, and of which one of that name. */
export interface LogPartition extends TopicPartition {
  /** See Progress; undefined where it is not known. */
  log?: string | undefined;
}

/** Key of the metadata of an object that says of which chunk it is. */
export const CHUNK_ID = 'skald-chunk';

const HEX_DIGITS = 12;

/**
 * Tells chunks apart whose objects want the same name. The same for whoever makes a chunk again; 48 bits are
 * plenty, because only chunks of one partition that begin at the same offset are ever compared.
 */
export function chunkId({ topic, partition, log }: LogPartition, start: number, end: number): string {
  const text = JSON.stringify([topic, partition, start, end, ...(log === undefined ? [] : [log])]);
  return createHash('sha256').update(text).digest('hex').slice(0, HEX_DIGITS);
}
