/**
 * Memory that files and answers are read into and batches are written into, used again and again. Fresh memory costs a page
 * fault for every four kilobytes, five times what reading itself costs, and V8 looks through its heap for garbage after every
 * few buffers. It is shared with the encoding threads: what is sent there and back counts as new in each thread, and is
 * garbage to the other. What is read from thousands of files that grow a little stands side by side in one piece of memory.
 */
import { ownBuffer } from './codec/views.ts';

export interface SharedBuffers {
  /** How much `take` will hold for so many bytes. */
  sizeFor(bytes: number): number;
  /** A buffer of so many bytes. Who takes it gives it back. */
  take(bytes: number): Buffer;
  /**
   * Nobody uses it, or any part of it, any more. Nothing happens to a buffer that was not taken here. Memory of which some is
   * never given back is not used again, and is garbage when nobody has any of it.
   */
  giveBack(bytes: Uint8Array): void;
}

const SHARED_BYTES = 1024 * 1024;
/** What is shorter than this part of shared memory goes there. */
const SHORT = 1 / 8;
/** Copies between buffers are several times slower where their ends do not lie on words. */
const WORD_BYTES = 8;

interface Memory {
  readonly buffer: SharedArrayBuffer;
  /** Buffers in it that were not given back, by where they begin. */
  readonly taken: Set<number>;
  /** Up to where it was given away. */
  usedBytes: number;
}

/** Keeps at most `spareBytes` while nobody uses them. */
export function sharedBuffers(spareBytes: number, sharedBytes = SHARED_BYTES): SharedBuffers {
  const isShort = (bytes: number): boolean => bytes < sharedBytes * SHORT;
  const spare: SharedArrayBuffer[] = [];
  const inUse = new WeakMap<ArrayBufferLike, Memory>();
  /** Where the next few bytes go. */
  let open: Memory | undefined;

  // Few sizes, so that most of them fit again.
  const sizeFor = (bytes: number): number => (isShort(bytes) ? bytes : 2 ** Math.ceil(Math.log2(bytes)));

  const memory = (size: number): Memory => {
    const at = spare.findIndex(({ byteLength }) => byteLength === size);
    const [buffer = new SharedArrayBuffer(size)] = at === -1 ? [] : spare.splice(at, 1);
    const fresh = { buffer, taken: new Set<number>(), usedBytes: 0 };
    inUse.set(buffer, fresh);
    return fresh;
  };

  const free = ({ buffer }: Memory): void => {
    inUse.delete(buffer);
    spare.push(buffer);
    // Those go that were of no use for longest.
    while (spare.reduce((sum, { byteLength }) => sum + byteLength, 0) > spareBytes) spare.shift();
  };

  const take = (from: Memory, bytes: number): Buffer => {
    const at = from.usedBytes;
    from.taken.add(at);
    from.usedBytes = Math.ceil((at + bytes) / WORD_BYTES) * WORD_BYTES;
    return Buffer.from(from.buffer, at, bytes);
  };

  const withRoom = (bytes: number): Memory => {
    if (open !== undefined && open.usedBytes + bytes <= sharedBytes) return open;
    if (open?.taken.size === 0) free(open);
    return (open = memory(sharedBytes));
  };

  return {
    sizeFor,
    take: (bytes) => {
      if (bytes === 0) return ownBuffer(0);
      return take(isShort(bytes) ? withRoom(bytes) : memory(sizeFor(bytes)), bytes);
    },
    giveBack: ({ buffer, byteOffset }) => {
      const held = inUse.get(buffer);
      if (held === undefined || !held.taken.delete(byteOffset) || held.taken.size > 0) return;
      if (held === open) held.usedBytes = 0;
      else free(held);
    },
  };
}
