/** Reads records that have their length in front of them. A length is believed only as far as the file bears it out. */
import type { LengthPrefixedFraming } from '../../shared/framing/framing.ts';
import { readLength } from '../../shared/framing/length-prefix.ts';
import type { ReadableFile } from '../discover/file-system.ts';
import { fill } from './fill.ts';
import type { ReadLimits, ReadPosition, ReadResult } from './read-result.ts';

export async function readFrames(
  file: ReadableFile,
  position: ReadPosition,
  limits: ReadLimits,
  framing: LengthPrefixedFraming,
): Promise<ReadResult> {
  const { offset, skipping, restBytes = 0 } = position;
  if (skipping) return passOver(file, offset, restBytes, limits);
  let length = limits.chunkBytes;
  for (;;) {
    const bytes = await fill(file, length, offset, limits.allocate);
    if (bytes.length === 0) return { kind: 'nothing' };
    const end = wholeFrames(bytes, restBytes, framing);
    if (end > 0) {
      const next = { offset: offset + end, skipping: false };
      return { kind: 'records', bytes, end, terminated: true, cut: false, encoding: 'bytes', next };
    }
    const first = firstFrame(bytes, restBytes, framing);
    if (first !== undefined && first.valueBytes > framing.maxFrameBytes) {
      return lostFrom(offset, bytes.length, first.valueBytes, framing);
    }
    if (first !== undefined && bytes.length > first.valueStart + limits.maxRecordBytes) {
      return tooLong(bytes, offset, first, limits);
    }
    if (bytes.length < length) {
      return limits.final ? incomplete(bytes, offset, first) : { kind: 'partial', bytes: bytes.length };
    }
    // No more than the record needs, and never what a damaged length asks for.
    length =
      first === undefined
        ? framing.prefixSize
        : Math.min(endOf(first), first.valueStart + limits.maxRecordBytes + 1);
  }
}

interface Frame {
  valueStart: number;
  valueBytes: number;
}

function endOf({ valueStart, valueBytes }: Frame): number {
  return valueStart + valueBytes;
}

/** Undefined while not all of the length is there. `restBytes` is what a record still has that was cut in front of `bytes`. */
function firstFrame(bytes: Buffer, restBytes: number, framing: LengthPrefixedFraming): Frame | undefined {
  if (restBytes > 0) return { valueStart: 0, valueBytes: restBytes };
  const { prefixSize } = framing;
  if (bytes.length < prefixSize) return undefined;
  return { valueStart: prefixSize, valueBytes: readLength(bytes, 0, framing) };
}

/** How many bytes the records take that are there to their end. */
function wholeFrames(bytes: Buffer, restBytes: number, framing: LengthPrefixedFraming): number {
  if (restBytes > bytes.length) return 0;
  let at = restBytes;
  while (at + framing.prefixSize <= bytes.length) {
    const valueBytes = readLength(bytes, at, framing);
    const end = at + framing.prefixSize + valueBytes;
    if (valueBytes > framing.maxFrameBytes || end > bytes.length) break;
    at = end;
  }
  return at;
}

function tooLong(bytes: Buffer, offset: number, frame: Frame, limits: ReadLimits): ReadResult {
  const after = (at: number, skipping: boolean): ReadPosition => {
    const restBytes = endOf(frame) - at;
    return { offset: offset + at, skipping, restBytes };
  };
  if (limits.oversize === 'drop') return { kind: 'skip', next: after(bytes.length, true), dropped: true };
  const end = frame.valueStart + limits.maxRecordBytes;
  const next = after(end, limits.oversize === 'truncate');
  return { kind: 'records', bytes, end, terminated: false, cut: true, encoding: 'bytes', next };
}

/** Passes over the rest of a record, or over all that follows a length that makes no sense. */
async function passOver(
  file: ReadableFile,
  offset: number,
  restBytes: number,
  { chunkBytes }: ReadLimits,
): Promise<ReadResult> {
  const bytes = await fill(file, restBytes === 0 ? chunkBytes : Math.min(restBytes, chunkBytes), offset);
  if (bytes.length === 0) return { kind: 'nothing' };
  const end = offset + bytes.length;
  if (restBytes === 0) return behindBadLength(end);
  const left = restBytes - bytes.length;
  const next = left > 0 ? { offset: end, skipping: true, restBytes: left } : { offset: end, skipping: false };
  return { kind: 'skip', next, dropped: false };
}

function lostFrom(
  offset: number,
  bytes: number,
  length: number,
  { maxFrameBytes }: LengthPrefixedFraming,
): ReadResult {
  return {
    ...behindBadLength(offset + bytes),
    message:
      `a record at byte ${offset} has a length of ${length} bytes, and framing.maxFrameBytes is ${maxFrameBytes}: where the next ` +
      'record begins cannot be known, so the rest of the file is passed over and counted as lost. Look at what wrote the ' +
      'file, or correct the framing of the pipeline',
  };
}

function behindBadLength(offset: number) {
  return {
    kind: 'lost',
    next: { offset, skipping: true },
    reason: 'bad-length',
    message:
      'the rest of the file lies behind a length that makes no sense; it is passed over and counted as lost',
  } satisfies ReadResult;
}

/** The file has left the globs and ends inside a record. */
function incomplete(bytes: Buffer, offset: number, frame: Frame | undefined): ReadResult {
  const end = offset + bytes.length;
  // Should the rest come after all, it is passed over, and what follows it is read.
  const restBytes = frame === undefined ? undefined : endOf(frame) - bytes.length;
  return {
    kind: 'lost',
    next: { offset: end, skipping: true, restBytes },
    reason: 'incomplete-record',
    message: `a file that is not written any more ends inside the record at byte ${offset}: what is there of it is passed over and counted as lost`,
  };
}
