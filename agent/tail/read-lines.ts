/**
 * Reads whole lines from a position of a file. There is no carry-over between reads: the part behind the last newline
 * is read again with the next chunk, which costs half a line for each chunk and leaves no state to lose.
 */
import type { OpenFile } from '../discover/file-system.ts';

const NEWLINE = 0x0a;

export interface ReadPosition {
  offset: number;
  /** The offset lies inside a line whose rest is to be passed over. */
  skipping: boolean;
}

export interface ReadLimits {
  /** Bytes to ask for; the chunk is smaller, except when one line is longer. */
  chunkBytes: number;
  maxRecordBytes: number;
  oversize: 'truncate' | 'split' | 'drop';
  /** Take a last line without newline as whole: nobody will complete it. */
  final: boolean;
}

export type ReadResult =
  /** Bytes [0, end) of `bytes` are lines; reading goes on at `next`. */
  | { kind: 'lines'; bytes: Uint8Array; end: number; terminated: boolean; next: ReadPosition }
  /** Bytes were passed over without a record; `dropped` when a line that is too long begins here. */
  | { kind: 'skip'; next: ReadPosition; dropped: boolean }
  /** Only the beginning of a line is there, this many bytes of it. */
  | { kind: 'partial'; bytes: number }
  | { kind: 'nothing' };

async function fill(file: OpenFile, length: number, position: number): Promise<Buffer> {
  // A buffer of its own, not from Node's pool: it is transferred to a worker.
  const buffer = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(buffer, filled, length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}

async function skipLine(file: OpenFile, offset: number, chunkBytes: number): Promise<ReadResult> {
  const bytes = await fill(file, chunkBytes, offset);
  if (bytes.length === 0) return { kind: 'nothing' };
  const newline = bytes.indexOf(NEWLINE);
  const next =
    newline === -1
      ? { offset: offset + bytes.length, skipping: true }
      : { offset: offset + newline + 1, skipping: false };
  return { kind: 'skip', next, dropped: false };
}

function tooLong(bytes: Buffer, offset: number, limits: ReadLimits): ReadResult {
  if (limits.oversize === 'drop') {
    return { kind: 'skip', next: { offset: offset + bytes.length, skipping: true }, dropped: true };
  }
  return {
    kind: 'lines',
    bytes,
    end: limits.maxRecordBytes,
    terminated: false,
    next: { offset: offset + limits.maxRecordBytes, skipping: limits.oversize === 'truncate' },
  };
}

/** One read of at most `chunkBytes`, or of one longer line up to `maxRecordBytes`. */
export async function readLines(
  file: OpenFile,
  position: ReadPosition,
  limits: ReadLimits,
): Promise<ReadResult> {
  const { offset } = position;
  if (position.skipping) return skipLine(file, offset, limits.chunkBytes);
  let length = limits.chunkBytes;
  for (;;) {
    const bytes = await fill(file, length, offset);
    if (bytes.length === 0) return { kind: 'nothing' };
    const newline = bytes.lastIndexOf(NEWLINE);
    if (newline !== -1) {
      const end = newline + 1;
      return { kind: 'lines', bytes, end, terminated: true, next: { offset: offset + end, skipping: false } };
    }
    // Only with one byte more than a record may have is it sure that the line is too long.
    if (bytes.length > limits.maxRecordBytes) return tooLong(bytes, offset, limits);
    if (bytes.length < length) {
      if (!limits.final) return { kind: 'partial', bytes: bytes.length };
      const end = bytes.length;
      return {
        kind: 'lines',
        bytes,
        end,
        terminated: false,
        next: { offset: offset + end, skipping: false },
      };
    }
    length = Math.min(length * 2, limits.maxRecordBytes + 1);
  }
}
