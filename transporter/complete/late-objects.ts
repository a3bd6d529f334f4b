import { CHUNK_ID } from '../chunk/chunk-id.ts';
import type { Chunk, ChunkObject } from '../chunk/open-chunk.ts';
import { bucketCalendar } from './bucket-calendar.ts';
import { bucketFolder } from './bucket-folder.ts';

/**
 * The objects of a chunk whose buckets the partition had said to be through with, when that was `through`. A
 * function of the chunk and its intent, so that whoever makes the chunk again finds the same.
 */
export function lateObjects({ objects, layout }: Chunk, through: number | undefined): ChunkObject[] {
  if (through === undefined) return [];
  const calendar = bucketCalendar(layout.bucket, layout.timeZone);
  return objects.filter(({ bucketLabel }) => {
    const bucket = bucketLabel === undefined ? undefined : calendar.wholeOf(bucketLabel);
    return bucket !== undefined && bucket.endMs <= through;
  });
}

/** What says beside a finished bucket that there is more of it. Query engines skip names that begin with _. */
export function lateMarker({ topic, partition, start, layout }: Chunk, late: ChunkObject): ChunkObject {
  const firstOffset = Number(late.metadata['skald-first-offset']);
  const lastOffset = Number(late.metadata['skald-last-offset']);
  const content = { object: late.name, records: late.records, firstOffset, lastOffset };
  const name = `${bucketFolder(layout, topic, late.bucketLabel!)}_LATE-${partition}-${start}`;
  const body = Buffer.from(`${JSON.stringify(content)}\n`);
  return {
    name,
    spareName: `${name}-${late.metadata[CHUNK_ID]}`,
    parts: [body],
    bytes: body.length,
    records: 0,
    contentType: 'application/json',
    metadata: { [CHUNK_ID]: late.metadata[CHUNK_ID]! },
  };
}
