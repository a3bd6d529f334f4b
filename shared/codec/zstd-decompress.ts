import { decompress } from '@mongodb-js/zstd/bindings.js';
import { freeBytes } from '../free-bytes.ts';
import { codecFailed, outputTooLarge } from './codec-failed.ts';
import { bufferView, joinAndFree } from './views.ts';
import { type ZstdFrame, scanZstdFrames, zstdPrefix } from './zstd-frame.ts';

// Every block that does not fill its 128 KiB makes the worst case look worse than it is; this much is not
// worth measuring.
const SLACK_BYTES = 8 * 1024 * 1024;
const MAX_MEASURING_ROUNDS = 32;

/**
 * All zstd frames of the input, one after the other; skippable frames are skipped. The binding takes no limit
 * and frames often do not say their size (Kafka's Java client never does), so the headers of the blocks are
 * read first: they bound what a frame can hold. At most 2 * maxOutputBytes + 8 MiB are allocated at any
 * moment, besides the frame's window of up to 128 MiB.
 *
 * Throws CODEC_FAILED for damage, dictionaries, and more output than allowed. `input` is read on libuv's
 * thread pool: do not write to it before the promise settles.
 */
export async function decompressZstd(bytes: Uint8Array, maxOutputBytes: number): Promise<Uint8Array> {
  const input = bufferView(bytes);
  const parts: Uint8Array[] = [];
  let outputBytes = 0;
  for (const frame of scanZstdFrames(input)) {
    const allowedBytes = maxOutputBytes - outputBytes;
    await requireAtMost(input, frame, allowedBytes, maxOutputBytes);
    const part = await decode(input.subarray(frame.start, frame.end), frame);
    if (part.length > allowedBytes) throw outputTooLarge('zstd', frame.start, maxOutputBytes);
    parts.push(part);
    outputBytes += part.length;
  }
  return joinAndFree(parts, outputBytes);
}

/**
 * Throws when decoding the frame would take more memory than allowed. A frame of many short blocks may look
 * larger than it is: then as many blocks as are safe are decoded to learn what they hold, and so on. The
 * rounds are bounded, because a frame can be made to need many.
 */
async function requireAtMost(
  input: Buffer,
  frame: ZstdFrame,
  allowedBytes: number,
  maxOutputBytes: number,
): Promise<void> {
  const limit = 2 * allowedBytes + SLACK_BYTES;
  let knownBytes = 0;
  let knownBlocks = 0;
  for (let round = 0; round < MAX_MEASURING_ROUNDS; round++) {
    let mostBytes = knownBytes;
    let blocks = knownBlocks;
    while (blocks < frame.blockStarts.length && mostBytes + frame.blockMostBytes[blocks]! <= limit) {
      mostBytes += frame.blockMostBytes[blocks++]!;
    }
    if (blocks === frame.blockStarts.length) return;
    const known = await decode(zstdPrefix(input, frame, blocks), frame);
    knownBytes = known.length;
    freeBytes(known);
    knownBlocks = blocks;
    if (knownBytes > allowedBytes) break;
  }
  throw outputTooLarge('zstd', frame.start, maxOutputBytes);
}

async function decode(bytes: Buffer, frame: ZstdFrame): Promise<Uint8Array> {
  try {
    return await decompress(bytes);
  } catch (cause) {
    throw codecFailed('zstd', frame.start, 'the frame does not decode', cause);
  }
}
