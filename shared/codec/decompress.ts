import type { CodecName } from './codec.ts';
import { outputTooLarge } from './codec-failed.ts';
import { decompressGzip } from './gzip-decompress.ts';
import { decompressLz4 } from './lz4-decompress.ts';
import { decompressSnappy } from './snappy-decompress.ts';
import { decompressZstd } from './zstd-decompress.ts';

type Decompressor = (input: Uint8Array, maxOutputBytes: number) => Uint8Array | Promise<Uint8Array>;

const DECOMPRESSORS: Readonly<Record<CodecName, Decompressor>> = {
  none: passThrough,
  gzip: decompressGzip,
  snappy: decompressSnappy,
  lz4: decompressLz4,
  zstd: decompressZstd,
};

/**
 * The content of the input's frames, joined. It may share memory with the input ("none", a stored block), and
 * then has the same ArrayBuffer; otherwise nobody else uses its bytes. Never returns more than
 * `maxOutputBytes`, and allocates at most about twice as much on the way, whatever the input claims. Throws
 * CODEC_FAILED for damage (at which byte, what was expected), cut-off input, and too much output.
 *
 * Everything but zstd runs on the calling thread; zstd runs on libuv's thread pool, for want of a synchronous
 * call in the binding.
 */
export async function decompress(
  codec: CodecName,
  input: Uint8Array,
  maxOutputBytes: number,
): Promise<Uint8Array> {
  return DECOMPRESSORS[codec](input, maxOutputBytes);
}

function passThrough(input: Uint8Array, maxOutputBytes: number): Uint8Array {
  if (input.length > maxOutputBytes) throw outputTooLarge('none', 0, maxOutputBytes);
  return input;
}
