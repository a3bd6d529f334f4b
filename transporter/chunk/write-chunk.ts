import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { isSkaldError } from '../../shared/errors.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { partitionKey } from '../topic-partition.ts';
import type { Intent } from './intent.ts';
import type { Chunk, ChunkObject } from './open-chunk.ts';

export interface WriteChunkOptions {
  /** Commits for the chunk's partition; resolves when it is certain. */
  commit: (offset: number, intent?: Intent) => Promise<void>;
  store: ObjectStore;
  clock: Clock;
  random: Random;
  problems: RepeatedLog;
  signal: AbortSignal;
}

const BACKOFF = { baseMs: 500, maxMs: 30_000 };

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
  for (const { name } of chunk.objects) await dropUnfinished(chunk, name, options);
  await storeObjects(chunk, options);
  await options.commit(chunk.end);
}

/** Only saves money: a store that does not let us, or cannot do it, must not hold up the records. */
async function dropUnfinished(
  { topic, partition }: Chunk,
  name: string,
  options: WriteChunkOptions,
): Promise<void> {
  try {
    await options.store.abortUnfinished(name);
  } catch (error) {
    if (!isSkaldError(error)) throw error;
    const fields = { topic, partition, object: name, err: error };
    options.problems.warn(`unfinished/${error.code}`, fields, 'unfinished uploads cannot be dropped');
  }
}

/** The store bounds how many go up at once. */
async function storeObjects(chunk: Chunk, options: WriteChunkOptions): Promise<void> {
  const { store, signal } = options;
  const put = (object: ChunkObject): Promise<void> => {
    const { name, parts, contentType, metadata } = object;
    return untilStored(chunk, name, options, () => store.put(name, parts, { contentType, metadata, signal }));
  };
  const results = await Promise.allSettled(chunk.objects.map(put));
  // Only after the last has come to rest: nothing of this chunk is still on its way when its owner does
  // something else.
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/**
 * Tries for as long as the partition is ours: what is fetched waits in the memory budget meanwhile, so an
 * outage of any length costs nothing but delay, and the problem is logged and shown as not ready.
 */
async function untilStored(
  { topic, partition, start, end }: Chunk,
  name: string,
  options: WriteChunkOptions,
  attempt: () => Promise<void>,
): Promise<void> {
  const { clock, random, problems, signal } = options;
  for (let failures = 0; ; failures += 1) {
    signal.throwIfAborted();
    try {
      await attempt();
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!isSkaldError(error) || !error.retryable) throw error;
      const fields = { topic, partition, start, end, object: name, err: error };
      problems.error(
        `store/${error.code}/${partitionKey({ topic, partition })}`,
        fields,
        'an object cannot be stored yet',
      );
      await clock.sleep(backoffMs(failures, BACKOFF, random), signal);
    }
  }
}
