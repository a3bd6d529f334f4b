import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import type { DecodedFrame, DecodedRange } from '../decode/decode-range.ts';
import type { UndecodableBatch } from '../decode/verified-header.ts';
import type { Layout } from './layout.ts';
import { contentType, objectName, quarantineName } from './object-name.ts';

/** One object of a chunk, ready to be stored. */
export interface ChunkObject {
  name: string;
  parts: Uint8Array[];
  bytes: number;
  records: number;
  contentType: string;
  metadata: Record<string, string>;
}

/**
 * Records [start, end) of one partition as objects. Where nothing but transaction markers was, there are
 * none.
 */
export interface Chunk extends TopicPartition {
  start: number;
  end: number;
  layout: Layout;
  objects: ChunkObject[];
  /** Bytes of all objects, which the memory budget counts until they are stored. */
  objectBytes: number;
  records: number;
}

/** A chunk that still takes records. */
export interface OpenChunk {
  readonly start: number;
  readonly end: number;
  readonly textBytes: number;
  readonly objectBytes: number;
  readonly buckets: number;
  /** Takes over what was decoded of [this.end, end). */
  append(range: DecodedRange, end: number): void;
  close(): Chunk;
}

interface OpenObject extends Omit<DecodedFrame, 'bytes'> {
  frames: Uint8Array[];
}

export function openChunk({ topic, partition }: TopicPartition, start: number, layout: Layout): OpenChunk {
  const open = new Map<string, OpenObject>();
  const undecodable: UndecodableBatch[] = [];
  let end = start;
  let textBytes = 0;
  let objectBytes = 0;

  const addFrame = (frame: DecodedFrame): void => {
    textBytes += frame.textBytes;
    objectBytes += frame.bytes.length;
    const object = open.get(frame.bucket.label);
    if (object === undefined) {
      open.set(frame.bucket.label, { ...frame, frames: [frame.bytes] });
      return;
    }
    object.frames.push(frame.bytes);
    object.records += frame.records;
    object.textBytes += frame.textBytes;
    object.lastOffset = frame.lastOffset;
    object.minTimestampMs = Math.min(object.minTimestampMs, frame.minTimestampMs);
    object.maxTimestampMs = Math.max(object.maxTimestampMs, frame.maxTimestampMs);
  };

  const objectOf = (object: OpenObject): ChunkObject => {
    const { bucket, frames, records, firstOffset } = object;
    return {
      name: objectName(layout, { topic, partition, bucketLabel: bucket.label, firstOffset }),
      parts: frames,
      bytes: sizeOf(frames),
      records,
      contentType: contentType(layout),
      metadata: {
        'skald-topic': topic,
        'skald-partition': String(partition),
        'skald-first-offset': String(firstOffset),
        'skald-last-offset': String(object.lastOffset),
        'skald-records': String(records),
        'skald-text-bytes': String(object.textBytes),
        'skald-min-timestamp-ms': String(object.minTimestampMs),
        'skald-max-timestamp-ms': String(object.maxTimestampMs),
      },
    };
  };

  const quarantineOf = (batch: UndecodableBatch): ChunkObject => ({
    name: quarantineName(layout, { topic, partition, baseOffset: batch.baseOffset }),
    parts: [batch.bytes],
    bytes: batch.bytes.length,
    records: 0,
    contentType: 'application/octet-stream',
    metadata: {
      'skald-topic': topic,
      'skald-partition': String(partition),
      'skald-base-offset': String(batch.baseOffset),
      'skald-reason': batch.reason,
      'skald-message': asciiOf(batch.message),
    },
  });

  return {
    start,
    get end() {
      return end;
    },
    get textBytes() {
      return textBytes;
    },
    get objectBytes() {
      return objectBytes;
    },
    get buckets() {
      return open.size;
    },
    append: (range, rangeEnd) => {
      for (const frame of range.frames) addFrame(frame);
      for (const batch of range.undecodable) {
        undecodable.push(batch);
        objectBytes += batch.bytes.length;
      }
      end = rangeEnd;
    },
    close: () => {
      const objects = [...[...open.values()].map(objectOf), ...undecodable.map(quarantineOf)];
      const records = objects.reduce((sum, object) => sum + object.records, 0);
      return { topic, partition, start, end, layout, objects, objectBytes, records };
    },
  };
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** Metadata of S3 objects travels in HTTP headers. */
function asciiOf(text: string): string {
  return text.replace(/[^\u0020-\u007e]/g, '?').slice(0, 512);
}
