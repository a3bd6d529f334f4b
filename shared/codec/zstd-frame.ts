import { codecFailed } from './codec-failed.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const BLOCK_HEADER_BYTES = 3;
const MAX_BLOCK_BYTES = 128 * 1024;
const MIN_WINDOW_LOG = 10;
/** libzstd refuses larger windows unless told otherwise, so its answer is only made earlier here. */
const MAX_WINDOW_BYTES = 2 ** 27;

/** Where a zstd frame and its blocks lie in the input, and how much its blocks can hold at most. */
export interface ZstdFrame {
  start: number;
  end: number;
  windowBytes: number;
  /** Position of each block's header, and the most bytes that the block can regenerate. */
  blockStarts: number[];
  blockMostBytes: number[];
  /** The end of the last block; a checksum of four bytes may follow. */
  blocksEnd: number;
  mostBytes: number;
}

interface FrameHeader {
  windowBytes: number;
  hasChecksum: boolean;
  end: number;
}

/**
 * The frames of the input, without decoding any: skippable frames are left out. Throws CODEC_FAILED where the
 * structure of RFC 8878 (section 3.1.1) is broken or cut off, and for frames that need a dictionary.
 */
export function scanZstdFrames(input: Buffer): ZstdFrame[] {
  const frames: ZstdFrame[] = [];
  if (input.length === 0) throw codecFailed('zstd', 0, 'expected a frame, found nothing');
  for (let at = 0; at < input.length;) {
    requireBytes(input, at, 4, 'the magic of a frame');
    const magic = input.readUInt32LE(at);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      requireBytes(input, at, 8, 'a skippable frame');
      const size = input.readUInt32LE(at + 4);
      requireBytes(input, at + 8, size, 'a skippable frame');
      at += 8 + size;
    } else if (magic === MAGIC) {
      const frame = scanFrame(input, at);
      frames.push(frame);
      at = frame.end;
    } else {
      throw codecFailed('zstd', at, 'expected the magic of a zstd frame');
    }
  }
  return frames;
}

function scanFrame(input: Buffer, start: number): ZstdFrame {
  const header = readHeader(input, start + 4);
  const maxBlockBytes = Math.min(header.windowBytes, MAX_BLOCK_BYTES);
  const blockStarts: number[] = [];
  const blockMostBytes: number[] = [];
  let mostBytes = 0;
  let at = header.end;
  for (let isLast = false; !isLast;) {
    requireBytes(input, at, BLOCK_HEADER_BYTES, 'the header of a block');
    const word = input.readUIntLE(at, BLOCK_HEADER_BYTES);
    isLast = (word & 1) === 1;
    const type = (word >>> 1) & 3;
    const size = word >>> 3;
    if (type === 3 || size > maxBlockBytes) {
      throw codecFailed('zstd', at, `expected a block of at most ${maxBlockBytes} bytes of a known type`);
    }
    // A raw block (0) says its size, a run of one byte (1) says its length; a compressed one (2) may fill the
    // maximum.
    const blockBytes = type === 2 ? maxBlockBytes : size;
    const storedBytes = type === 1 ? 1 : size;
    requireBytes(input, at + BLOCK_HEADER_BYTES, storedBytes, 'a block');
    blockStarts.push(at);
    blockMostBytes.push(blockBytes);
    mostBytes += blockBytes;
    at += BLOCK_HEADER_BYTES + storedBytes;
  }
  const blocksEnd = at;
  if (header.hasChecksum) {
    requireBytes(input, at, 4, 'a content checksum');
    at += 4;
  }
  const { windowBytes } = header;
  return { start, end: at, windowBytes, blockStarts, blockMostBytes, blocksEnd, mostBytes };
}

/** The frame header from its descriptor byte at `at` (RFC 8878, section 3.1.1.1). */
function readHeader(input: Buffer, at: number): FrameHeader {
  requireBytes(input, at, 1, 'a frame header');
  const descriptor = input[at]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6]!;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]!;
  const windowAt = at + 1;
  const dictionaryAt = windowAt + (isSingleSegment ? 0 : 1);
  const contentSizeAt = dictionaryAt + dictionaryIdBytes;
  const end = contentSizeAt + contentSizeBytes;
  requireBytes(input, at, end - at, 'a frame header');
  if ((descriptor & 0x08) !== 0) throw codecFailed('zstd', at, 'expected the reserved bit to be 0');
  if (dictionaryIdBytes > 0 && input.readUIntLE(dictionaryAt, dictionaryIdBytes) !== 0) {
    throw codecFailed('zstd', dictionaryAt, 'it needs a dictionary');
  }
  const windowBytes = isSingleSegment
    ? contentSize(input, contentSizeAt, contentSizeBytes)
    : windowSize(input[windowAt]!);
  if (windowBytes > MAX_WINDOW_BYTES) {
    throw codecFailed(
      'zstd',
      windowAt,
      `a window of ${windowBytes} bytes; at most ${MAX_WINDOW_BYTES} are read`,
    );
  }
  return { windowBytes, hasChecksum: (descriptor & 0x04) !== 0, end };
}

function contentSize(input: Buffer, at: number, bytes: number): number {
  if (bytes === 8) return Number(input.readBigUInt64LE(at));
  // Two bytes count from 256, because smaller sizes fit in one.
  return input.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}

function windowSize(descriptor: number): number {
  const base = 2 ** (MIN_WINDOW_LOG + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

/**
 * The first `blockCount` blocks as a frame of their own, for finding out how much they hold: the block before
 * the cut becomes the last, and the header promises neither a content size nor a checksum.
 */
export function zstdPrefix(input: Buffer, frame: ZstdFrame, blockCount: number): Buffer {
  const first = frame.blockStarts[0]!;
  const end = frame.blockStarts[blockCount] ?? frame.blocksEnd;
  const headerBytes = 6;
  const prefix = Buffer.allocUnsafe(headerBytes + end - first);
  prefix.writeUInt32LE(MAGIC, 0);
  prefix[4] = 0;
  const windowLog = Math.max(MIN_WINDOW_LOG, Math.ceil(Math.log2(frame.windowBytes)));
  prefix[5] = (windowLog - MIN_WINDOW_LOG) << 3;
  input.copy(prefix, headerBytes, first, end);
  const lastBlock = headerBytes + frame.blockStarts[blockCount - 1]! - first;
  prefix[lastBlock] = prefix[lastBlock]! | 1;
  return prefix;
}

function requireBytes(input: Buffer, at: number, count: number, what: string): void {
  if (at + count > input.length) throw codecFailed('zstd', input.length, `the input ends inside ${what}`);
}
