import { compress as compressZstd } from '@mongodb-js/zstd/bindings.js';
import { gzipSync } from 'node:zlib';
import { freeBytes } from '../free-bytes.ts';
import { CODEC_LEVELS, type WritableCodecName } from './codec.ts';
import { compressLz4 } from './lz4-compress.ts';
import { type Output, outputBuffer } from './output.ts';
import { type OwnBytes, bufferView } from './views.ts';

export interface CompressOptions extends Partial<Output> {
  /**
   * Within CODEC_LEVELS; the codec's default when missing. A level for a codec that has none is a RangeError.
   */
  level?: number | undefined;
}

// zlib hands its output over in chunks of this size and joins them; the default of 16 KiB makes 64 times as
// many.
const GZIP_CHUNK_BYTES = 128 * 1024;

type Compressor = (input: Uint8Array, level: number, output: Output) => Uint8Array | Promise<Uint8Array>;

const COMPRESSORS: Readonly<Record<WritableCodecName, Compressor>> = {
  none: (input, _level, output) => copied(input, output),
  gzip: (input, level, output) => moved(gzipSync(input, { level, chunkSize: GZIP_CHUNK_BYTES }), output),
  lz4: (input, _level, output) => compressLz4(input, output),
  zstd: async (input, level, output) => moved(await compressZstd(bufferView(input), level), output),
};

/**
 * The input as one frame (one gzip member, one LZ4 or zstd frame) in a new buffer that owns its ArrayBuffer,
 * so it can be transferred; in `room` when that is given and large enough. Frames of one codec concatenate. The
 * same input and options give the same bytes.
 *
 * Everything but zstd runs on the calling thread. The zstd binding knows no synchronous call: it compresses
 * on libuv's thread pool and reads `input` there, so do not write to it before the promise settles.
 */
export async function compress(
  codec: WritableCodecName,
  input: Uint8Array,
  options?: Omit<CompressOptions, 'room'>,
): Promise<OwnBytes>;
export async function compress(
  codec: WritableCodecName,
  input: Uint8Array,
  options: CompressOptions,
): Promise<Uint8Array>;
export async function compress(
  codec: WritableCodecName,
  input: Uint8Array,
  { level, headroom = 0, room }: CompressOptions = {},
): Promise<Uint8Array> {
  return COMPRESSORS[codec](input, levelFor(codec, level), { headroom, room });
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

/** What a binding made, where the caller wants it. */
function moved(bytes: Uint8Array, output: Output): Uint8Array {
  const out = copied(bytes, output);
  freeBytes(bytes);
  return out;
}

function copied(bytes: Uint8Array, output: Output): Uint8Array {
  const out = outputBuffer(output, bytes.length);
  out.set(bytes, output.headroom);
  return out;
}
