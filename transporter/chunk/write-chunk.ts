import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { ObjectMetadata } from '../store/object-store.ts';
import type { PatientStore } from '../store/patient-store.ts';
import { CHUNK_ID } from './chunk-id.ts';
import type { Intent } from './intent.ts';
import type { Chunk, ChunkObject } from './open-chunk.ts';

export interface WriteChunkOptions {
  /** Commits for the chunk's partition; resolves when it is certain. */
  commit: (offset: number, intent?: Intent) => Promise<void>;
  store: Pick<PatientStore, 'put' | 'describe' | 'abortUnfinished'>;
  problems: Pick<RepeatedLog, 'warn'>;
  signal: AbortSignal;
}

export interface MarkedChunk extends Chunk {
  /**
   * What tells the readers of a finished bucket of these objects. Stored before them: what Kafka deletes of an object
   * that is stored already is not in the chunk when it is made again, and then nobody would store its marker.
   */
  markers: readonly ChunkObject[];
}

/**
 * intent -> upload -> commit. When it resolves, the chunk is stored and the partition's offset is its end;
 * when it rejects, whoever owns the partition next finds either the old offset, or the intent and does the
 * same again.
 */
export async function writeChunk(chunk: MarkedChunk, options: WriteChunkOptions): Promise<void> {
  // A stretch of nothing but transaction markers has no effect that an intent would have to announce.
  if (chunk.objects.length > 0) {
    await options.commit(chunk.start, chunk);
    await storeObjects(chunk.markers, chunk, options);
    await storeObjects(chunk.objects, chunk, options);
  }
  await options.commit(chunk.end);
}

/**
 * upload -> commit, for a chunk whose intent an earlier owner has committed. What that one has stored stays:
 * Kafka may have deleted records since, and then it holds more than could be made again.
 */
export async function rewriteChunk(chunk: MarkedChunk, options: WriteChunkOptions): Promise<void> {
  await storeObjects(await missingOf(chunk.markers, options), chunk, options);
  await storeObjects(await missingOf(chunk.objects, options), chunk, options);
  // Behind the upload, when the store is known to answer; the intent is there until all is done.
  const names = [...chunk.markers, ...chunk.objects].flatMap(({ name, spareName }) => [name, spareName]);
  await Promise.all(names.map((name) => options.store.abortUnfinished(name)));
  await options.commit(chunk.end);
}

/**
 * The name that an object of the chunk has or will have, as the store is now. That the other one is taken or freed between
 * this and the put needs a zombie of another topic, or somebody who deletes objects, in this very moment.
 * @throws the signal's reason
 */
export async function nameInStore(
  object: ChunkObject,
  { store, signal }: { store: Pick<PatientStore, 'describe'>; signal: AbortSignal },
): Promise<string> {
  const found = await store.describe(object.name, signal);
  return found === undefined || isOfChunk(found, object) ? object.name : object.spareName;
}

async function missingOf(
  objects: readonly ChunkObject[],
  options: WriteChunkOptions,
): Promise<ChunkObject[]> {
  const isStored = await Promise.all(objects.map((object) => isStoredAlready(object, options)));
  return objects.filter((_, index) => isStored[index] === false);
}

/** Looked for under the second name first: whatever had the first may be gone by now. */
async function isStoredAlready(object: ChunkObject, { store, signal }: WriteChunkOptions): Promise<boolean> {
  for (const name of [object.spareName, object.name]) {
    if (isOfChunk(await store.describe(name, signal), object)) return true;
  }
  return false;
}

function isOfChunk(found: ObjectMetadata | undefined, { metadata }: ChunkObject): boolean {
  return found !== undefined && found[CHUNK_ID] === metadata[CHUNK_ID];
}

/** The store bounds how many go up at once. */
async function storeObjects(
  objects: readonly ChunkObject[],
  chunk: Chunk,
  options: WriteChunkOptions,
): Promise<void> {
  const results = await Promise.allSettled(objects.map((object) => storeObject(object, chunk, options)));
  // Only after the last has come to rest: nothing of this chunk is still on its way when its owner does
  // something else.
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function storeObject(
  object: ChunkObject,
  { topic, partition }: Chunk,
  { store, problems, signal }: WriteChunkOptions,
): Promise<void> {
  const { name, spareName, parts, contentType, metadata } = object;
  const found = await store.put(name, parts, { contentType, metadata, signal });
  if (found === undefined || isOfChunk(found, object)) return;
  problems.warn(
    `name-taken/${topic}`,
    { topic, partition, object: name, storedAs: spareName },
    "another chunk's object has the name: it stays as it is, and this one is stored beside it",
  );
  await store.put(spareName, parts, { contentType, metadata, signal });
}
