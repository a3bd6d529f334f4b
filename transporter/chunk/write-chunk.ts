import type { PatientStore } from '../store/patient-store.ts';
import type { Intent } from './intent.ts';
import type { Chunk } from './open-chunk.ts';

export interface WriteChunkOptions {
  /** Commits for the chunk's partition; resolves when it is certain. */
  commit: (offset: number, intent?: Intent) => Promise<void>;
  store: Pick<PatientStore, 'put' | 'abortUnfinished'>;
  signal: AbortSignal;
}

/**
 * intent -> upload -> commit. When it resolves, the chunk is stored and the partition's offset is its end;
 * when it rejects, whoever owns the partition next finds either the old offset, or the intent and does the
 * same again.
 */
export async function writeChunk(chunk: Chunk, options: WriteChunkOptions): Promise<void> {
  // A stretch of nothing but transaction markers has no effect that an intent would have to announce.
  if (chunk.objects.length > 0) {
    await options.commit(chunk.start, chunk);
    await storeObjects(chunk, options);
  }
  await options.commit(chunk.end);
}

/** upload -> commit, for a chunk whose intent an earlier owner has committed. */
export async function rewriteChunk(chunk: Chunk, options: WriteChunkOptions): Promise<void> {
  await storeObjects(chunk, options);
  // Behind the upload, when the store is known to answer; the intent is there until all is done.
  await Promise.all(chunk.objects.map(({ name }) => options.store.abortUnfinished(name)));
  await options.commit(chunk.end);
}

/** The store bounds how many go up at once. */
async function storeObjects(chunk: Chunk, { store, signal }: WriteChunkOptions): Promise<void> {
  const results = await Promise.allSettled(
    chunk.objects.map(({ name, parts, contentType, metadata }) =>
      store.put(name, parts, { contentType, metadata, signal }),
    ),
  );
  // Only after the last has come to rest: nothing of this chunk is still on its way when its owner does
  // something else.
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
