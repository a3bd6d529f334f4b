import { bufferView, ownBuffer } from './views.ts';

/** Where a codec writes to. */
export interface Output {
  /** Bytes left free (and undefined) in front of the compressed bytes, for a header that the caller writes. */
  headroom: number;
  /** Used when the headroom and the compressed bytes fit; otherwise they get a buffer that owns its ArrayBuffer. */
  room?: Uint8Array | undefined;
}

/** Memory for the headroom and `bytes` bytes behind it. */
export function outputBuffer({ headroom, room }: Output, bytes: number): Buffer {
  const size = headroom + bytes;
  if (room === undefined || room.length < size) return ownBuffer(size);
  return bufferView(room).subarray(0, size);
}
