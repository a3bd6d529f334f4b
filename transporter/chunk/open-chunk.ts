import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import { crc32cBase64, crc32cOfParts } from '../../shared/wire/crc32c.ts';
import type { DecodedRange } from '../decode/decode-range.ts';
import { addFacts, type DecodedFrame, type FrameFacts } from '../decode/decoded-frame.ts';
import { parquetFile } from '../decode/parquet-file.ts';
import type { RefusedFrame } from '../decode/refused-records.ts';
import { bucketFinder } from '../decode/time-bucket.ts';
import { CHUNK_ID, chunkId, type LogPartition } from './chunk-id.ts';
import type { Layout } from './layout.ts';
import { contentType, frameType, objectName, quarantineName } from './object-name.ts';

/** One object of a chunk, ready to be stored. */
export interface ChunkObject {
  name: string;
  /** Its name when another chunk's object has that one, for example of a topic that was deleted and made anew. */
  spareName: string;
  parts: Uint8Array[];
  bytes: number;
  /** Its time bucket; undefined in the quarantine, which has none. */
  bucketLabel?: string;
  /** In the quarantine: the time bucket of the first record's timestamp, if it has records. */
  quarantinedIn?: string | undefined;
  /** Those that were carried; not those of the quarantine. */
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
  /** Takes over what was decoded of [this.end, range.endOffset). */
  append(range: DecodedRange): void;
  close(): Chunk;
}

interface OpenObject extends FrameFacts {
  frames: DecodedFrame[];
  textBytes: number;
}

export function openChunk(ofLog: LogPartition, start: number, layout: Layout): OpenChunk {
  const { topic, partition } = ofLog;
  const open = new Map<string, OpenObject>();
  const refused: RefusedFrame[] = [];
  let end = start;
  let textBytes = 0;
  let objectBytes = 0;

  const addFrame = (frame: DecodedFrame): void => {
    textBytes += frame.textBytes;
    objectBytes += frame.bytes.length;
    const object = open.get(frame.bucket.label);
    if (object === undefined) {
      open.set(frame.bucket.label, { ...frame, frames: [frame] });
      return;
    }
    object.frames.push(frame);
    object.textBytes += frame.textBytes;
    addFacts(object, frame);
  };

  const addRefused = (frame: RefusedFrame): void => {
    textBytes += frame.textBytes;
    objectBytes += frame.bytes.length;
    refused.push(frame);
  };

  const objectOf = (object: OpenObject, id: string): ChunkObject => {
    const { bucket, frames, records, firstOffset } = object;
    const place = { topic, partition, bucketLabel: bucket.label, firstOffset: start };
    const content = sized(partsOf(frames));
    return {
      bucketLabel: bucket.label,
      name: objectName(layout, place),
      spareName: objectName(layout, { ...place, chunkId: id }),
      ...content,
      records,
      contentType: contentType(layout),
      metadata: {
        'skald-topic': topic,
        'skald-partition': String(partition),
        [CHUNK_ID]: id,
        'skald-first-offset': String(firstOffset),
        'skald-last-offset': String(object.lastOffset),
        'skald-records': String(records),
        'skald-text-bytes': String(object.textBytes),
        'skald-min-timestamp-ms': String(object.minTimestampMs),
        'skald-max-timestamp-ms': String(object.maxTimestampMs),
        'skald-crc32c': crc32cBase64(crc32cOfParts(content.parts)),
      },
    };
  };

  const partsOf = (frames: readonly DecodedFrame[]): Uint8Array[] =>
    layout.format === 'parquet' ? parquetFile(frames, layout.columns) : frames.map(({ bytes }) => bytes);

  const labelOfFirst = (): string | undefined => {
    const timestampMs = refused.find((frame) => frame.timestampMs !== undefined)?.timestampMs;
    if (timestampMs === undefined) return undefined;
    return bucketFinder(layout.bucket, layout.timeZone)(timestampMs).label;
  };

  /** All that the chunk has for the quarantine, however much. */
  const quarantineObject = (first: RefusedFrame, id: string): ChunkObject => ({
    name: quarantineName(layout, { topic, partition, firstOffset: start }),
    spareName: quarantineName(layout, { topic, partition, firstOffset: start, chunkId: id }),
    ...sized(refused.map(({ bytes }) => bytes)),
    quarantinedIn: labelOfFirst(),
    records: 0,
    contentType: frameType(layout, 'application/jsonl'),
    metadata: {
      'skald-topic': topic,
      'skald-partition': String(partition),
      [CHUNK_ID]: id,
      'skald-first-offset': String(first.firstOffset),
      'skald-last-offset': String(refused.at(-1)!.lastOffset),
      'skald-quarantined-records': String(refused.reduce((sum, { records }) => sum + records, 0)),
      'skald-quarantined-batches': String(refused.reduce((sum, { batches }) => sum + batches, 0)),
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
    append: (range) => {
      for (const frame of range.frames) addFrame(frame);
      if (range.refused !== undefined) addRefused(range.refused);
      end = range.endOffset;
    },
    close: () => {
      const id = chunkId(ofLog, start, end);
      const objects = [
        ...[...open.values()].map((object) => objectOf(object, id)),
        ...refused.slice(0, 1).map((first) => quarantineObject(first, id)),
      ];
      const sum = (key: 'records' | 'bytes'): number =>
        objects.reduce((total, object) => total + object[key], 0);
      return {
        topic,
        partition,
        start,
        end,
        layout,
        objects,
        objectBytes: sum('bytes'),
        records: sum('records'),
      };
    },
  };
}

function sized(parts: Uint8Array[]): Pick<ChunkObject, 'parts' | 'bytes'> {
  return { parts, bytes: parts.reduce((sum, part) => sum + part.length, 0) };
}
