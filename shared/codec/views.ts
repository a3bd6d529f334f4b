import { freeBytes } from '../free-bytes.ts';

/** Bytes in an ArrayBuffer that can be transferred to another thread. */
export type OwnBytes = Uint8Array<ArrayBuffer>;

/** The same memory as a Buffer: the native bindings and Buffer's own methods want one. */
export function bufferView(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * A buffer that owns its whole ArrayBuffer, so that it can be transferred to another thread.
 * Buffer.allocUnsafe cuts small buffers out of a shared pool, which cannot.
 */
export function ownBuffer(bytes: number): Buffer<ArrayBuffer> {
  return Buffer.allocUnsafeSlow(bytes);
}

/** The parts as one buffer; a single part is handed through without a copy. */
export function joinParts(parts: readonly Uint8Array[], totalBytes: number): Uint8Array {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, totalBytes);
}

/** The same for parts that nobody else uses: when they are copied, their memory is free. */
export function joinAndFree(parts: readonly Uint8Array[], totalBytes: number): Uint8Array {
  const joined = joinParts(parts, totalBytes);
  for (const part of parts) if (part !== joined) freeBytes(part);
  return joined;
}

/** The parts, which nobody else uses, as one buffer that owns its ArrayBuffer. */
export function joinOwned(parts: readonly Uint8Array[]): OwnBytes {
  const all = ownBuffer(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
    freeBytes(part);
  }
  return all;
}
