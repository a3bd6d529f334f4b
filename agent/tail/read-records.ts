/**
 * Reads whole records from a position of a file. There is no carry-over between reads: the part behind the last record
 * is read again with the next chunk, which costs half a record for each chunk and leaves no state to lose.
 */
import type { Framing, LineEncoding } from '../../shared/framing/framing.ts';
import { lineBreaks } from '../../shared/framing/line-breaks.ts';
import { byteOrderOf } from '../../shared/framing/utf16.ts';
import type { ReadableFile } from '../discover/file-system.ts';
import { fill } from './fill.ts';
import { readFrames } from './read-frames.ts';
import type { ReadLimits, ReadPosition, ReadResult } from './read-result.ts';
import { type RecordEnds, recordEnds } from './record-ends.ts';

/** One read of at most `chunkBytes`, or of one longer record up to `maxRecordBytes`. */
export async function readRecords(
  file: ReadableFile,
  position: ReadPosition,
  limits: ReadLimits,
): Promise<ReadResult> {
  const { framing } = limits;
  if (framing.type === 'length-prefixed') return readFrames(file, position, limits, framing);
  const read = position.skipping ? skipRecord : readLines;
  return read(file, position.offset, limits, recordEnds(framing, limits.encoding));
}

/** The position for reading on from `offset`, such as the end of a file whose past is not wanted. */
export async function positionAt(
  file: ReadableFile,
  offset: number,
  framing: Framing,
): Promise<ReadPosition> {
  // Nothing in the bytes says where length-prefixed records begin; a file ends with a whole one, unless it is being written.
  if (offset === 0 || framing.type === 'length-prefixed') return { offset, skipping: false };
  const breaks = lineBreaks(framing.delimiter, await encodingOf(file, framing));
  const whole = offset - (offset % breaks.unitBytes);
  const last = await fill(file, Math.min(breaks.bytes, whole), Math.max(0, whole - breaks.bytes));
  return {
    offset: whole,
    skipping: last.length > 0 && breaks.last(last, last.length) !== last.length - breaks.bytes,
  };
}

/**
 * What lines of the file are in. Nothing remembers its byte order: two bytes more for each chunk are cheaper than a state
 * that can be wrong.
 */
export async function encodingOf(file: ReadableFile, framing: Framing): Promise<LineEncoding> {
  if (framing.type === 'length-prefixed') return 'bytes';
  const { encoding } = framing;
  return encoding === 'utf-16' ? byteOrderOf(encoding, await fill(file, 2, 0)) : encoding;
}

async function readLines(
  file: ReadableFile,
  offset: number,
  limits: ReadLimits,
  ends: RecordEnds,
): Promise<ReadResult> {
  const whole = (bytes: Buffer, end: number, terminated = true): ReadResult => {
    const next = { offset: offset + end, skipping: false };
    return { kind: 'records', bytes, end, terminated, cut: false, encoding: limits.encoding, next };
  };
  const certainBytes = ends.certainBytes(limits.maxRecordBytes);
  let length = limits.chunkBytes;
  for (;;) {
    const bytes = await fill(file, length, offset, limits.allocate);
    if (bytes.length === 0) return { kind: 'nothing' };
    const isEndOfFile = bytes.length < length;
    const end = ends.lastEnd(bytes, limits.final && isEndOfFile);
    if (end > 0) return whole(bytes, end);
    if (bytes.length >= certainBytes) return tooLong(bytes, offset, limits, ends);
    if (isEndOfFile) {
      const lineEnd = ends.lastLineEnd(bytes);
      if (limits.final) return whole(bytes, bytes.length, lineEnd === bytes.length);
      // A record that the writer has left alone. Its last line waits when it has no line break yet.
      if (lineEnd > 0 && limits.quietAtBytes === offset + bytes.length) return whole(bytes, lineEnd);
      return { kind: 'partial', bytes: bytes.length };
    }
    length = Math.min(length * 2, certainBytes);
  }
}

function tooLong(bytes: Buffer, offset: number, limits: ReadLimits, ends: RecordEnds): ReadResult {
  if (limits.oversize === 'drop') {
    const { searchOn } = ends.nextStart(bytes, false);
    return { kind: 'skip', next: { offset: offset + searchOn, skipping: true }, dropped: true };
  }
  const end = ends.cutAt(bytes, limits.maxRecordBytes, offset === 0);
  const next = { offset: offset + end, skipping: limits.oversize === 'truncate' };
  return { kind: 'records', bytes, end, terminated: false, cut: true, encoding: limits.encoding, next };
}

/** Passes over the rest of a record, up to where the next one begins. */
async function skipRecord(
  file: ReadableFile,
  offset: number,
  limits: ReadLimits,
  ends: RecordEnds,
): Promise<ReadResult> {
  const skipTo = (at: number, skipping: boolean): ReadResult => ({
    kind: 'skip',
    next: { offset: offset + at, skipping },
    dropped: false,
  });
  // Enough to see the line behind a line break.
  const length = Math.max(limits.chunkBytes, ends.certainBytes(0) + 1);
  const bytes = await fill(file, length, offset);
  if (bytes.length === 0) return { kind: 'nothing' };
  const isEndOfFile = bytes.length < length;
  const { start, searchOn } = ends.nextStart(bytes, limits.final && isEndOfFile);
  if (start !== undefined) return skipTo(start, false);
  if (isEndOfFile && limits.final) return skipTo(bytes.length, true);
  const isQuiet = limits.quietAtBytes === offset + bytes.length;
  if (isQuiet && searchOn < bytes.length && ends.lastLineEnd(bytes) === bytes.length) {
    return skipTo(bytes.length, false);
  }
  return searchOn > 0 ? skipTo(searchOn, true) : { kind: 'partial', bytes: bytes.length };
}
