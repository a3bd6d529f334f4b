import type { Chunk, ChunkObject } from '../chunk/open-chunk.ts';
import { bucketCalendar } from './bucket-calendar.ts';

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
