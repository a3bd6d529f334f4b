import { uncompressSync } from 'snappy';
import { codecFailed, outputTooLarge } from './codec-failed.ts';
import { bufferView, joinAndFree } from './views.ts';

/** "\x82SNAPPY\0", then a version and the oldest compatible version, four bytes each. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;
const MAX_LENGTH_VARINT_BYTES = 5;

// Copied into memory of V8: for the blocks of 32 KiB that Java writes, handing over the binding's own memory
// costs 60 % more CPU.
const OUTPUT = { asBuffer: true, copyOutputData: true };

/**
 * Snappy as Kafka clients write it: a raw block (librdkafka), or the framing of xerial's snappy-java, which
 * is a header and then blocks that each follow their size as a big-endian int32 (Java; SnappyOutputStream of
 * xerial/snappy-java). Throws CODEC_FAILED for damage and for more output than allowed.
 */
export function decompressSnappy(bytes: Uint8Array, maxOutputBytes: number): Uint8Array {
  const input = bufferView(bytes);
  if (!hasXerialHeader(input, 0)) return decodeBlock(input, 0, input.length, maxOutputBytes, maxOutputBytes);
  const parts: Uint8Array[] = [];
  let outputBytes = 0;
  for (let at = 0; at < input.length;) {
    // Concatenated streams repeat the header where a block's size would be; as a size it would be negative.
    if (hasXerialHeader(input, at)) {
      if (at + XERIAL_HEADER_BYTES > input.length)
        throw codecFailed('snappy', at, 'the input ends inside a header');
      at += XERIAL_HEADER_BYTES;
      continue;
    }
    if (at + 4 > input.length) throw codecFailed('snappy', at, 'the input ends inside the size of a block');
    const size = input.readInt32BE(at);
    const end = at + 4 + size;
    if (size < 0 || end > input.length) {
      throw codecFailed('snappy', at, `a block of ${size} bytes where ${input.length - at - 4} are left`);
    }
    const part = decodeBlock(input, at + 4, end, maxOutputBytes - outputBytes, maxOutputBytes);
    parts.push(part);
    outputBytes += part.length;
    at = end;
  }
  return joinAndFree(parts, outputBytes);
}

function hasXerialHeader(input: Buffer, at: number): boolean {
  return input.subarray(at, at + XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
}

function decodeBlock(
  input: Buffer,
  start: number,
  end: number,
  allowedBytes: number,
  maxOutputBytes: number,
): Uint8Array {
  // The binding allocates what the block promises, so the promise is read first.
  if (blockLength(input, start, end) > allowedBytes) throw outputTooLarge('snappy', start, maxOutputBytes);
  try {
    const output = uncompressSync(input.subarray(start, end), OUTPUT);
    if (typeof output === 'string') throw new TypeError('snappy decoded to a string');
    return output;
  } catch (cause) {
    throw codecFailed('snappy', start, 'the block does not decode', cause);
  }
}

/**
 * The uncompressed length at the start of a raw block: a little-endian base-128 number
 * (format_description.txt of google/snappy).
 */
function blockLength(input: Buffer, start: number, end: number): number {
  let length = 0;
  for (let i = 0; i < MAX_LENGTH_VARINT_BYTES && start + i < end; i++) {
    const byte = input[start + i]!;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length;
  }
  throw codecFailed('snappy', start, 'expected the length of a block');
}
