/** Small objects beside those of a bucket that tell its readers of others. Query engines skip names that begin with _. */
import { CHUNK_ID } from '../chunk/chunk-id.ts';
import type { Chunk, ChunkObject } from '../chunk/open-chunk.ts';
import { bucketFolder } from './bucket-folder.ts';

/** How many records a marker stands for, and where they are, in its metadata: `_SUCCESS` counts them. */
export const QUARANTINED_RECORDS = 'skald-quarantined-records';

/**
 * `_LATE-…` for each of the objects that came too late, and `_QUARANTINE-…` for the records that were refused. `nameOf` is
 * asked under which name an object is stored, or will be.
 */
export async function bucketMarkers(
  chunk: Chunk,
  late: readonly ChunkObject[],
  nameOf: (object: ChunkObject) => Promise<string>,
): Promise<ChunkObject[]> {
  const quarantine = chunk.objects.filter(({ quarantinedIn }) => quarantinedIn !== undefined);
  const marked = [
    ...late.map((object) => ({ object, kind: 'LATE' as const, label: object.bucketLabel! })),
    ...quarantine.map((object) => ({ object, kind: 'QUARANTINE' as const, label: object.quarantinedIn! })),
  ];
  return Promise.all(
    marked.map(async (one) => markerOf(chunk, { ...one, storedAs: await nameOf(one.object) })),
  );
}

interface Marked {
  object: ChunkObject;
  kind: 'LATE' | 'QUARANTINE';
  label: string;
  storedAs: string;
}

function markerOf(
  { topic, partition, start, layout }: Chunk,
  { object: { records: carried, metadata }, kind, label, storedAs }: Marked,
): ChunkObject {
  const refused = metadata[QUARANTINED_RECORDS];
  const content = {
    object: storedAs,
    records: refused === undefined ? carried : Number(refused),
    firstOffset: Number(metadata['skald-first-offset']),
    lastOffset: Number(metadata['skald-last-offset']),
  };
  const body = Buffer.from(`${JSON.stringify(content)}\n`);
  const key = `${bucketFolder(layout, topic, label)}_${kind}-${partition}-${start}`;
  return {
    name: key,
    spareName: `${key}-${metadata[CHUNK_ID]}`,
    parts: [body],
    bytes: body.length,
    records: 0,
    contentType: 'application/json',
    metadata: {
      [CHUNK_ID]: metadata[CHUNK_ID]!,
      ...(refused !== undefined && { [QUARANTINED_RECORDS]: refused }),
    },
  };
}
