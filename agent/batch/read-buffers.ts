/**
 * Memory that whole batches are read into, used again and again. Fresh memory costs a page fault for every four kilobytes,
 * five times what reading itself costs, and V8 looks through its heap for garbage after every few buffers. It is shared
 * with the encoding threads: what is sent there and back counts as new in each thread, and is garbage to the other.
 */
import { ownBuffer } from '../../shared/codec/views.ts';

export interface ReadBuffers {
  /** How much `take` will hold for so many bytes. */
  sizeFor(bytes: number): number;
  /** A buffer of so many bytes, with memory of its own when they are few. Who takes it gives it back. */
  take(bytes: number): Buffer;
  /** Nobody uses it any more. Nothing happens to a buffer that was not taken here. */
  giveBack(bytes: Uint8Array): void;
}

/** Less is read when little is there, and there may be thousands of such reads at once. */
const LEAST_BYTES = 128 * 1024;

/** Keeps at most `spareBytes` while nobody uses them. */
export function readBuffers(spareBytes: number, leastBytes = LEAST_BYTES): ReadBuffers {
  const spare: ArrayBufferLike[] = [];
  const taken = new WeakSet<ArrayBufferLike>();

  // Few sizes, so that most of them fit again.
  const sizeFor = (bytes: number): number => (bytes < leastBytes ? bytes : 2 ** Math.ceil(Math.log2(bytes)));

  return {
    sizeFor,
    take: (bytes) => {
      if (bytes < leastBytes) return ownBuffer(bytes);
      const size = sizeFor(bytes);
      const at = spare.findIndex(({ byteLength }) => byteLength === size);
      const [buffer = new SharedArrayBuffer(size)] = at === -1 ? [] : spare.splice(at, 1);
      taken.add(buffer);
      return Buffer.from(buffer, 0, bytes);
    },
    giveBack: ({ buffer }) => {
      if (!taken.delete(buffer)) return;
      spare.push(buffer);
      // Those go that were of no use for longest.
      while (spare.reduce((sum, { byteLength }) => sum + byteLength, 0) > spareBytes) spare.shift();
    },
  };
}
