import { gunzipSync, type ZlibOptions } from 'node:zlib';
import { codecFailed, outputTooLarge } from './codec-failed.ts';
import { bufferView } from './views.ts';

const MIN_CHUNK_BYTES = 16 * 1024;
const MAX_CHUNK_BYTES = 1024 * 1024;

/** What gunzipSync returns with `info: true`, which the types of Node leave out. */
interface GunzipInfo {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

/**
 * All gzip members of the input (RFC 1952), one after the other. Throws CODEC_FAILED for damage, for bytes
 * after the last member, and for more output than allowed.
 */
export function decompressGzip(input: Uint8Array, maxOutputBytes: number): Uint8Array {
  const { buffer, engine } = gunzip(input, maxOutputBytes);
  // zlib takes a zero byte after a member for padding and stops there without a word.
  if (engine.bytesWritten !== input.length) {
    throw codecFailed('gzip', engine.bytesWritten, 'expected another member or the end of the input');
  }
  if (buffer.length > maxOutputBytes) throw outputTooLarge('gzip', 0, maxOutputBytes);
  return buffer;
}

function gunzip(input: Uint8Array, maxOutputBytes: number): GunzipInfo {
  const options: ZlibOptions = {
    info: true,
    chunkSize: chunkSize(input),
    maxOutputLength: Math.max(1, maxOutputBytes),
  };
  try {
    const result: unknown = gunzipSync(input, options);
    if (!isGunzipInfo(result)) throw new TypeError('gunzipSync ignored its info option');
    return result;
  } catch (cause) {
    if (cause instanceof RangeError && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') {
      throw outputTooLarge('gzip', 0, maxOutputBytes);
    }
    throw codecFailed('gzip', 0, 'the members do not decode', cause);
  }
}

/**
 * zlib's output comes in chunks that are joined at the end. The last member's size, when true, makes it one
 * chunk.
 */
function chunkSize(input: Uint8Array): number {
  const claimed = input.length < 4 ? 0 : bufferView(input).readUInt32LE(input.length - 4);
  return Math.min(MAX_CHUNK_BYTES, Math.max(MIN_CHUNK_BYTES, claimed));
}

function isGunzipInfo(result: unknown): result is GunzipInfo {
  return typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result;
}
