import { compressSync } from 'lz4-napi';
import { freeBytes } from '../free-bytes.ts';
import {
  FLG_INDEPENDENT,
  FLG_VERSION_1,
  LZ4_MAGIC,
  LZ4_STORED,
  lz4BlockBytes,
  lz4HeaderChecksum,
} from './lz4-frame.ts';
import { type Output, outputBuffer } from './output.ts';
import { bufferView } from './views.ts';

const HEADER_BYTES = 7;
const END_MARK_BYTES = 4;

/**
 * One LZ4 frame: independent blocks, no checksums, no content size, which is what
 * Kafka's Java client writes too and all that it reads. Blocks are compressed one call each and framed here,
 * because that costs a third less CPU than the binding's own frame writer; up to 4 MiB of input is one block.
 */
export function compressLz4(input: Uint8Array, output: Output): Uint8Array {
  const sizeId = blockSizeId(input.length);
  const blockBytes = lz4BlockBytes(sizeId);
  const blocks: Buffer[] = [];
  let blocksBytes = 0;
  for (let at = 0; at < input.length; at += blockBytes) {
    const block = sizedBlock(bufferView(input.subarray(at, at + blockBytes)));
    blocks.push(block);
    blocksBytes += block.length;
  }
  const { headroom } = output;
  const out = outputBuffer(output, HEADER_BYTES + blocksBytes + END_MARK_BYTES);
  out.writeUInt32LE(LZ4_MAGIC, headroom);
  out[headroom + 4] = FLG_VERSION_1 | FLG_INDEPENDENT;
  out[headroom + 5] = sizeId << 4;
  out[headroom + 6] = lz4HeaderChecksum(out, headroom + 4, headroom + 6);
  let at = headroom + HEADER_BYTES;
  for (const block of blocks) {
    at += block.copy(out, at);
    freeBytes(block);
  }
  out.writeUInt32LE(0, at);
  return out;
}

/** The smallest block size that holds the input: a reader allocates a whole block's size. */
function blockSizeId(inputBytes: number): number {
  let id = 4;
  while (id < 7 && lz4BlockBytes(id) < inputBytes) id++;
  return id;
}

/**
 * A block with its size in front. The binding puts the content's length into those four bytes; a frame wants
 * the block's own. Content that does not shrink is stored.
 */
function sizedBlock(content: Buffer): Buffer {
  const compressed = compressSync(content);
  const compressedBytes = compressed.length - 4;
  if (compressedBytes < content.length) {
    compressed.writeUInt32LE(compressedBytes, 0);
    return compressed;
  }
  const stored = Buffer.allocUnsafe(4 + content.length);
  stored.writeUInt32LE(LZ4_STORED + content.length, 0);
  content.copy(stored, 4);
  return stored;
}
