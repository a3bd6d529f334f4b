/** Batches between reading and publishing: encoded in any order, handed on in the order in which their lines were read. */
import type { EncodedPart, EncodeJob } from './encode-batches.ts';
import type { BatchEncoder } from './encoder.ts';
import type { SharedBuffers } from '../../shared/shared-buffers.ts';

export interface EncodeQueue<Context> {
  /** Starts to encode; resolves at once while fewer than the bound are under way, else when one has been taken. */
  add(job: EncodeJob, context: Context): Promise<void>;
  /** Resolves when all that was added has been taken. Rejects when encoding or `take` has failed. */
  drained(): Promise<void>;
}

/**
 * `take` gets one encoded job after the other. `maxAhead` bounds the jobs under way: enough to keep the workers busy,
 * few enough to keep the memory for reading.
 */
export function encodeQueue<Context>(options: {
  encoder: Pick<BatchEncoder, 'encode'>;
  /** Those that the jobs' lines were read into: they are free as soon as the batches are there. Batches go into others of them. */
  buffers: Pick<SharedBuffers, 'take' | 'giveBack'>;
  /** What a batch of so much text comes to; one that comes to more gets memory of its own. */
  batchBytes(textBytes: number): number;
  maxAhead: number;
  take(parts: EncodedPart[], context: Context): Promise<void>;
  onLength(length: number): void;
}): EncodeQueue<Context> {
  const { buffers } = options;
  let length = 0;
  let tail: Promise<void> = Promise.resolve();

  const encode = async (job: EncodeJob): Promise<EncodedPart[]> => {
    const textBytes = job.segments.reduce((sum, { start, end }) => sum + end - start, 0);
    const room = buffers.take(job.keying === undefined ? options.batchBytes(textBytes) : 0);
    try {
      const parts = await options.encoder.encode({ ...job, room });
      const inRoom = parts.find(({ batch }) => batch.buffer instanceof SharedArrayBuffer);
      // Shared memory comes back from a thread as another object.
      if (inRoom !== undefined) inRoom.batch = room.subarray(0, inRoom.batch.length);
      else buffers.giveBack(room);
      return parts;
    } finally {
      for (const { bytes } of job.segments) buffers.giveBack(bytes);
    }
  };

  const takeInTurn = async (
    before: Promise<void>,
    encoding: Promise<EncodedPart[]>,
    context: Context,
  ): Promise<void> => {
    await before;
    await options.take(await encoding, context);
    length -= 1;
    options.onLength(length);
  };

  return {
    add: async (job, context) => {
      const encoding = encode(job);
      encoding.catch(() => {}); // looked at in its turn, which may come after its failure
      const before = tail;
      tail = takeInTurn(before, encoding, context);
      tail.catch(() => {}); // the next `add` or `drained` gets it
      length += 1;
      options.onLength(length);
      if (length > options.maxAhead) await before;
    },
    drained: () => tail,
  };
}
