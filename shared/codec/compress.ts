import { compress as compressZstd } from '@mongodb-js/zstd/bindings.js';
import { gzipSync } from 'node:zlib';
import { CODEC_LEVELS, type WritableCodecName } from './codec.ts';
import { compressLz4 } from './lz4-compress.ts';
import { type OwnBytes, bufferView, ownBuffer } from './views.ts';

export interface CompressOptions {
  /**
   * Within CODEC_LEVELS; the codec's default when missing. A level for a codec that has none is a RangeError.
   */
  level?: number | undefined;
  /**
   * Bytes left free (and undefined) in front of the compressed bytes, for a header that the caller writes.
   */
  headroom?: number;
}

// zlib hands its output over in chunks of this size and joins them; the default of 16 KiB makes 64 times as
// many.
const GZIP_CHUNK_BYTES = 128 * 1024;

type Compressor = (input: Uint8Array, level: number, headroom: number) => OwnBytes | Promise<OwnBytes>;

const COMPRESSORS: Readonly<Record<WritableCodecName, Compressor>> = {
  none: (input, _level, headroom) => withHeadroom(input, headroom),
  gzip: (input, level, headroom) =>
    withHeadroom(gzipSync(input, { level, chunkSize: GZIP_CHUNK_BYTES }), headroom),
  lz4: (input, _level, headroom) => compressLz4(input, headroom),
  zstd: async (input, level, headroom) =>
    withHeadroom(await compressZstd(bufferView(input), level), headroom),
};

/**
 * The input as one frame (one gzip member, one LZ4 or zstd frame) in a new buffer that owns its ArrayBuffer,
 * so it can be transferred. Frames of one codec concatenate. The same input and options give the same bytes.
 *
 * Everything but zstd runs on the calling thread. The zstd binding knows no synchronous call: it compresses
 * on libuv's thread pool and reads `input` there, so do not write to it before the promise settles.
 */
export async function compress(
  codec: WritableCodecName,
  input: Uint8Array,
  options: CompressOptions = {},
): Promise<OwnBytes> {
  return COMPRESSORS[codec](input, levelFor(codec, options.level), options.headroom ?? 0);
}

function levelFor(codec: WritableCodecName, level: number | undefined): number {
  const range = CODEC_LEVELS[codec];
  if (level === undefined) return range?.default ?? 0;
  if (range === undefined) throw new RangeError(`codec ${codec} has no levels, got ${level}`);
  if (!Number.isInteger(level) || level < range.min || level > range.max) {
    throw new RangeError(`codec ${codec} takes levels ${range.min} to ${range.max}, got ${level}`);
  }
  return level;
}

function withHeadroom(bytes: Uint8Array, headroom: number): OwnBytes {
  const out = ownBuffer(headroom + bytes.length);
  out.set(bytes, headroom);
  return out;
}
