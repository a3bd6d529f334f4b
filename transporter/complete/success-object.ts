/** `_SUCCESS`: says of a finished time bucket of a topic what is in it, so that its readers all take the same. */
import { z } from 'zod';
import type { TopicConfig } from '../../shared/config/topic-config.ts';
import type { Listing, ObjectMetadata, ObjectStore } from '../store/object-store.ts';
import type { BucketSpan } from '../decode/time-bucket.ts';
import { bucketFolder } from './bucket-folder.ts';
import { QUARANTINED_RECORDS } from './bucket-markers.ts';

export interface FinishedBucket {
  config: TopicConfig;
  bucket: BucketSpan;
  /** Of the topic, when the bucket was finished. */
  partitions: number;
}

/** One object of the bucket, as `_SUCCESS` lists it. */
interface ListedObject {
  key: string;
  bytes: number;
  records: number;
  partition: number;
  firstOffset: number;
  lastOffset: number;
  /** As in S3's `x-amz-checksum-crc32c`, of all bytes; missing where a version before checksums has written it. */
  crc32c?: string | undefined;
}

/** What the metadata of objects says, see open-chunk.ts. Objects of others have none of it. */
const dataSchema = z.object({
  'skald-topic': z.string(),
  'skald-partition': z.coerce.number(),
  'skald-first-offset': z.coerce.number(),
  'skald-last-offset': z.coerce.number(),
  'skald-records': z.coerce.number(),
  'skald-crc32c': z.string().optional(),
});

/** Requests for metadata at once: objects to be stored wait for the same few slots of the store. */
const CONCURRENCY = 4;

/**
 * Writes the `_SUCCESS` of a bucket unless it is there; whether it did. One list request for each 1,000 objects,
 * one for the metadata of each, one to write.
 * @throws SkaldError of the store, or the signal's reason
 */
export async function writeSuccess(
  { config, bucket, partitions }: FinishedBucket,
  store: Pick<ObjectStore, 'list' | 'describe' | 'put'>,
  signal: AbortSignal,
): Promise<boolean> {
  const folder = bucketFolder(config, config.topic, bucket.label);
  const key = `${folder}_SUCCESS`;
  const inFolder = (await store.list(folder, signal)).objects;
  if (inFolder.some((object) => object.key === key)) return false;
  const data = inFolder.filter((object) => !/^[._]/.test(object.key.slice(folder.length)));
  const describe = async (name: string): Promise<ObjectMetadata | undefined> => {
    signal.throwIfAborted();
    return store.describe(name);
  };
  const described = await describeAll(data, config.topic, describe);
  let quarantinedRecords = 0;
  for (const marker of inFolder.filter((object) => object.key.startsWith(`${folder}_QUARANTINE-`)))
    quarantinedRecords += Number((await describe(marker.key))?.[QUARANTINED_RECORDS] ?? 0);
  const objects = described.sort((a, b) => a.partition - b.partition || a.firstOffset - b.firstOffset);
  const content = {
    version: 1,
    topic: config.topic,
    bucket: bucket.label,
    timeZone: config.timeZone,
    start: new Date(bucket.startMs).toISOString(),
    end: new Date(bucket.endMs).toISOString(),
    partitions,
    records: objects.reduce((sum, { records }) => sum + records, 0),
    bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
    quarantinedRecords,
    objects,
  };
  const body = Buffer.from(`${JSON.stringify(content, null, 2)}\n`);
  const found = await store.put(key, [body], { contentType: 'application/json', metadata: {}, signal });
  return found === undefined;
}

async function describeAll(
  found: Listing['objects'],
  topic: string,
  metadataOf: (key: string) => Promise<ObjectMetadata | undefined>,
): Promise<ListedObject[]> {
  const described: ListedObject[] = [];
  const waiting = found.values();
  const describe = async (): Promise<void> => {
    for (const { key, bytes } of waiting) {
      const { data } = dataSchema.safeParse(await metadataOf(key));
      if (data?.['skald-topic'] !== topic) continue;
      described.push({
        key,
        bytes,
        records: data['skald-records'],
        partition: data['skald-partition'],
        firstOffset: data['skald-first-offset'],
        lastOffset: data['skald-last-offset'],
        crc32c: data['skald-crc32c'],
      });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, describe));
  return described;
}
