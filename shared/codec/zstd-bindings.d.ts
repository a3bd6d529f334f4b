/**
 * The native entry of @mongodb-js/zstd 1.2.2, which ships no types for it. Its index.js wraps these two and
 * drops the level. Both run on libuv's thread pool and reject with a plain Error.
 */
declare module '@mongodb-js/zstd/bindings.js' {
  export function compress(data: Uint8Array, level?: number): Promise<Buffer>;
  export function decompress(data: Uint8Array): Promise<Buffer>;
}
