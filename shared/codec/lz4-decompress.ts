import { uncompressSync } from 'lz4-napi';
import { codecFailed, outputTooLarge } from './codec-failed.ts';
import {
  FLG_BLOCK_CHECKSUM,
  FLG_CONTENT_CHECKSUM,
  FLG_CONTENT_SIZE,
  FLG_DICTIONARY,
  FLG_INDEPENDENT,
  FLG_RESERVED,
  FLG_VERSION_1,
  LZ4_MAGIC,
  LZ4_SKIPPABLE_MAGIC,
  LZ4_STORED,
  LZ4_WINDOW_BYTES,
  lz4BlockBytes,
  lz4HeaderChecksum,
} from './lz4-frame.ts';
import { bufferView, joinAndFree, joinParts } from './views.ts';
import { xxh32 } from './xxh32.ts';

// A match length grows by at most 255 for each byte that spells it out, so no block expands further than
// this.
const MAX_EXPANSION = 255;

interface Lz4Descriptor {
  flags: number;
  blockBytes: number;
  contentBytes: number | undefined;
  /** Where the first block starts. */
  end: number;
}

interface Reading {
  input: Buffer;
  maxOutputBytes: number;
  /** Decompressed blocks of all frames so far, and their size. */
  parts: Uint8Array[];
  outputBytes: number;
  /** Content checksums are compared when the parts are one buffer. */
  checksums: { start: number; end: number; expected: number; byte: number }[];
  /** A copy of one block behind the length that the binding wants in front of it. */
  scratch: Buffer;
}

/**
 * All LZ4 frames of the input, one after the other: independent and linked blocks, every checksum verified,
 * skippable frames skipped. Blocks are decoded one call each, which needs half the CPU of the binding's frame
 * reader and keeps every allocation within `maxOutputBytes`. Throws CODEC_FAILED for damage, dictionaries,
 * and more output than allowed.
 */
export function decompressLz4(bytes: Uint8Array, maxOutputBytes: number): Uint8Array {
  const input = bufferView(bytes);
  const scratch = Buffer.allocUnsafe(4 + Math.min(input.length, lz4BlockBytes(7)));
  const reading: Reading = { input, maxOutputBytes, parts: [], outputBytes: 0, checksums: [], scratch };
  if (input.length === 0) throw codecFailed('lz4', 0, 'expected a frame, found nothing');
  for (let at = 0; at < input.length;) {
    const magic = readWord(input, at, 'the magic of a frame');
    if ((magic & 0xfffffff0) >>> 0 === LZ4_SKIPPABLE_MAGIC) at = skippableEnd(input, at);
    else if (magic === LZ4_MAGIC) at = readFrame(reading, readDescriptor(input, at + 4));
    else throw codecFailed('lz4', at, 'expected the magic of an LZ4 frame');
  }
  const output = joinAndFree(reading.parts, reading.outputBytes);
  for (const { start, end, expected, byte } of reading.checksums) {
    if (xxh32(output, start, end) !== expected)
      throw codecFailed('lz4', byte, 'the content checksum differs');
  }
  return output;
}

function readDescriptor(input: Buffer, at: number): Lz4Descriptor {
  requireBytes(input, at, 3, 'a frame descriptor');
  const flags = input[at]!;
  const blockDescriptor = input[at + 1]!;
  const sizeId = blockDescriptor >>> 4;
  if ((flags & 0xc0) !== FLG_VERSION_1 || (flags & FLG_RESERVED) !== 0) {
    throw codecFailed('lz4', at, 'expected frame version 1 with its reserved bit 0');
  }
  if ((blockDescriptor & 0x0f) !== 0 || sizeId < 4 || sizeId > 7) {
    throw codecFailed('lz4', at + 1, 'expected a block size id from 4 to 7');
  }
  if ((flags & FLG_DICTIONARY) !== 0) throw codecFailed('lz4', at, 'it needs a dictionary');
  const hasContentSize = (flags & FLG_CONTENT_SIZE) !== 0;
  const checksumAt = at + (hasContentSize ? 10 : 2);
  requireBytes(input, at, checksumAt + 1 - at, 'a frame descriptor');
  if (input[checksumAt] !== lz4HeaderChecksum(input, at, checksumAt)) {
    throw codecFailed('lz4', checksumAt, 'the header checksum differs');
  }
  const contentBytes = hasContentSize ? Number(input.readBigUInt64LE(at + 2)) : undefined;
  return { flags, blockBytes: lz4BlockBytes(sizeId), contentBytes, end: checksumAt + 1 };
}

/** Decodes the blocks of a frame and returns where the frame ends. */
function readFrame(reading: Reading, descriptor: Lz4Descriptor): number {
  const { input } = reading;
  const firstPart = reading.parts.length;
  const contentStart = reading.outputBytes;
  let at = descriptor.end;
  for (;;) {
    const word = readWord(input, at, 'the size of a block');
    at += 4;
    if (word === 0) break;
    at = readBlock(reading, descriptor, word, at, firstPart);
  }
  const contentBytes = reading.outputBytes - contentStart;
  if (descriptor.contentBytes !== undefined && descriptor.contentBytes !== contentBytes) {
    throw codecFailed('lz4', at - 4, `the frame holds ${contentBytes} bytes, not ${descriptor.contentBytes}`);
  }
  if ((descriptor.flags & FLG_CONTENT_CHECKSUM) === 0) return at;
  const expected = readWord(input, at, 'a content checksum');
  reading.checksums.push({ start: contentStart, end: reading.outputBytes, expected, byte: at });
  return at + 4;
}

/** Decodes the block at `at`, whose size word is given, and returns where the next one starts. */
function readBlock(
  reading: Reading,
  frame: Lz4Descriptor,
  word: number,
  at: number,
  firstPart: number,
): number {
  const { input } = reading;
  const isStored = word >= LZ4_STORED;
  const size = isStored ? word - LZ4_STORED : word;
  if (size > frame.blockBytes) {
    throw codecFailed(
      'lz4',
      at - 4,
      `a block of ${size} bytes in a frame of ${frame.blockBytes}-byte blocks`,
    );
  }
  requireBytes(input, at, size, 'a block');
  const end = at + size;
  const part = isStored ? input.subarray(at, end) : uncompressBlock(reading, frame, at, end, firstPart);
  if (reading.outputBytes + part.length > reading.maxOutputBytes) {
    throw outputTooLarge('lz4', at, reading.maxOutputBytes);
  }
  reading.parts.push(part);
  reading.outputBytes += part.length;
  if ((frame.flags & FLG_BLOCK_CHECKSUM) === 0) return end;
  if (readWord(input, end, 'a block checksum') !== xxh32(input, at, end)) {
    throw codecFailed('lz4', end, 'the block checksum differs');
  }
  return end + 4;
}

function uncompressBlock(
  reading: Reading,
  frame: Lz4Descriptor,
  start: number,
  end: number,
  firstPart: number,
): Uint8Array {
  const { input, scratch } = reading;
  const allowed = reading.maxOutputBytes - reading.outputBytes;
  const mostBytes = Math.min(frame.blockBytes, MAX_EXPANSION * (end - start), allowed);
  scratch.writeUInt32LE(mostBytes, 0);
  input.copy(scratch, 4, start, end);
  const block = scratch.subarray(0, 4 + end - start);
  const isLinked = (frame.flags & FLG_INDEPENDENT) === 0 && reading.parts.length > firstPart;
  try {
    return isLinked ? uncompressSync(block, contentWindow(reading.parts, firstPart)) : uncompressSync(block);
  } catch (cause) {
    throw codecFailed('lz4', start, `the block does not decode into ${mostBytes} bytes or fewer`, cause);
  }
}

/** The last 64 KiB of the frame's content so far, to which a linked block may refer. */
function contentWindow(parts: readonly Uint8Array[], firstPart: number): Uint8Array {
  let first = parts.length - 1;
  let bytes = parts[first]!.length;
  while (first > firstPart && bytes < LZ4_WINDOW_BYTES) bytes += parts[--first]!.length;
  const window = joinParts(parts.slice(first), bytes);
  return window.subarray(Math.max(0, bytes - LZ4_WINDOW_BYTES));
}

function skippableEnd(input: Buffer, at: number): number {
  const size = readWord(input, at + 4, 'the size of a skippable frame');
  requireBytes(input, at + 8, size, 'a skippable frame');
  return at + 8 + size;
}

function readWord(input: Buffer, at: number, what: string): number {
  requireBytes(input, at, 4, what);
  return input.readUInt32LE(at);
}

function requireBytes(input: Buffer, at: number, count: number, what: string): void {
  if (at + count > input.length) throw codecFailed('lz4', input.length, `the input ends inside ${what}`);
}
