/** Where a batch that is too large can be cut in two. */
import { type Framing, LINES } from '../../shared/framing/framing.ts';
import { walkFrames } from '../../shared/framing/length-prefix.ts';
import { byteOrderMarkBytes, decodeUtf16, unitsWithin } from '../../shared/framing/utf16.ts';
import { type VisitRecord, walkLines } from '../../shared/framing/walk-lines.ts';
import type { LineBatchOptions } from '../../shared/wire/encode-lines.ts';
import { lineEncodingOf } from '../../shared/wire/frame-records.ts';
import type { JobSegment } from './encode-batches.ts';

type Limits = Pick<LineBatchOptions, 'framing' | 'maxRecordBytes' | 'oversize'>;

/** Two halves of about the same bytes, or undefined when there is only one record. */
export function halve(
  segments: readonly JobSegment[],
  limits: Limits,
): [JobSegment[], JobSegment[]] | undefined {
  if (segments.length === 1) return halveSegment(segments[0]!, limits);
  const total = segments.reduce((sum, s) => sum + s.end - s.start, 0);
  let taken = 0;
  let count = 0;
  while (count < segments.length - 1 && (count === 0 || taken < total / 2)) {
    taken += segments[count]!.end - segments[count]!.start;
    count += 1;
  }
  return [segments.slice(0, count), segments.slice(count)];
}

/** The records of a segment, by positions in its part of the buffer. */
function walk(segment: JobSegment, framing: Framing, visit: VisitRecord): void {
  const part = viewOf(segment);
  if (framing.type === 'length-prefixed') walkFrames(part, segment.insideBytes ?? 0, framing, visit);
  else {
    const encoding = lineEncodingOf(framing, segment);
    const head = segment.fileOffset === 0 ? byteOrderMarkBytes(part, encoding) : 0;
    walkLines(part.subarray(head), segment.terminated, { framing, encoding }, (start, end, next) =>
      visit(head + start, head + end, head + next),
    );
  }
}

function halveSegment(segment: JobSegment, limits: Limits): [JobSegment[], JobSegment[]] | undefined {
  const { framing = LINES } = limits;
  const size = segment.end - segment.start;
  let before = 0;
  let after = size;
  let last: [start: number, end: number] | undefined;
  walk(segment, framing, (start, end, next) => {
    last = [start, end];
    if (next <= size / 2) before = next;
    else after = Math.min(after, next);
  });
  const at = before > 0 ? before : after;
  if (at < size) return cutBetween(segment, at);
  // A single record. One that is split anyway can be cut where the encoder cuts it.
  return last === undefined || limits.oversize !== 'split' ? undefined : cutInside(segment, last, limits);
}

function cutBetween(segment: JobSegment, at: number): [JobSegment[], JobSegment[]] {
  const [left, right] = cutAt(segment, at);
  return [
    [{ ...left, terminated: true, restBytes: undefined }],
    [{ ...right, continues: false, insideBytes: undefined }],
  ];
}

function cutInside(
  segment: JobSegment,
  [start, end]: [start: number, end: number],
  { framing = LINES, maxRecordBytes }: Limits,
): [JobSegment[], JobSegment[]] | undefined {
  const at = start + pieceNearMiddle(segment, start, end, { framing, maxRecordBytes });
  if (at >= end) return undefined;
  const [left, right] = cutAt(segment, at);
  const restBytes = framing.type === 'length-prefixed' ? end - at + (segment.restBytes ?? 0) : undefined;
  return [
    [{ ...left, terminated: false, restBytes }],
    [{ ...right, continues: true, insideBytes: restBytes }],
  ];
}

/** Length of the first half of a value's pieces, as the encoder cuts them. */
function pieceNearMiddle(
  segment: JobSegment,
  start: number,
  end: number,
  { framing, maxRecordBytes }: { framing: Framing; maxRecordBytes: number },
): number {
  const encoding = framing.type === 'length-prefixed' ? 'bytes' : lineEncodingOf(framing, segment);
  if (encoding === 'bytes') return maxRecordBytes * Math.ceil((end - start) / maxRecordBytes / 2);
  const text = decodeUtf16(viewOf(segment), start, end, encoding);
  let units = 0;
  while (units < text.length / 2) units += unitsWithin(text, units, maxRecordBytes);
  return 2 * units;
}

function cutAt(segment: JobSegment, at: number): [JobSegment, JobSegment] {
  const { start, fileOffset } = segment;
  return [
    { ...segment, end: start + at, skipRest: false },
    { ...segment, start: start + at, fileOffset: fileOffset + at },
  ];
}

function viewOf({ bytes, start, end }: JobSegment): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}
