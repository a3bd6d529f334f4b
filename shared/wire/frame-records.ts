import { type Framing, isPlainLines, type LineEncoding, type LineFraming } from '../framing/framing.ts';
import { walkFrames } from '../framing/length-prefix.ts';
import { byteOrderMarkBytes, countLoneSurrogates, decodeUtf16, unitsWithin } from '../framing/utf16.ts';
import { walkLines } from '../framing/walk-lines.ts';
import type { LineSegment } from './encode-lines.ts';
import { frameLines } from './frame-lines.ts';
import { appendOversized, appendRecord, appendText, countOversized, type RecordSink } from './record-sink.ts';

/** Appends the records of a segment, whose bytes are `source`. The sink's memory has room for them at its start. */
export function frameRecords(sink: RecordSink, source: Buffer, segment: LineSegment, framing: Framing): void {
  sink.continues = segment.continues ?? false;
  if (isPlainLines(framing)) {
    frameLines(sink, source);
    return;
  }
  const append = (start: number, end: number): void => {
    if (end - start <= sink.maxRecordBytes) appendRecord(sink, start, end);
    else appendOversized(sink, start, end);
  };
  if (framing.type === 'length-prefixed') {
    sink.memory.bytes.set(source, 0);
    walkFrames(source, segment.insideBytes ?? 0, framing, append);
    return;
  }
  const encoding = lineEncodingOf(framing, segment);
  const walk = { framing, encoding };
  if (encoding === 'bytes') {
    sink.memory.bytes.set(source, 0);
    walkLines(source, segment.terminated, walk, append);
    return;
  }
  const head = segment.fileOffset === 0 ? byteOrderMarkBytes(source, encoding) : 0;
  walkLines(source.subarray(head), segment.terminated, walk, (start, end) =>
    appendUtf16(sink, source, head + start, head + end, encoding),
  );
}

/** What the lines of a segment are in; `utf-16` alone does not say it, the file's first bytes did. */
export function lineEncodingOf(
  { encoding }: LineFraming,
  segment: Pick<LineSegment, 'encoding'>,
): LineEncoding {
  return encoding === 'utf-16' ? (segment.encoding ?? 'utf-16le') : encoding;
}

/** The limit is on the record, in UTF-8; what is cut is cut between characters. */
function appendUtf16(
  sink: RecordSink,
  source: Buffer,
  start: number,
  end: number,
  encoding: LineEncoding,
): void {
  const text = decodeUtf16(source, start, end, encoding);
  sink.replacedUnits += countLoneSurrogates(text) + ((end - start) & 1);
  const { maxRecordBytes, oversize } = sink;
  if (Buffer.byteLength(text, 'utf8') <= maxRecordBytes) {
    appendText(sink, text);
    return;
  }
  countOversized(sink, start);
  let at = oversize === 'drop' ? 0 : unitsWithin(text, 0, maxRecordBytes);
  if (at > 0) appendText(sink, text.slice(0, at));
  while (oversize === 'split' && at < text.length) {
    const units = unitsWithin(text, at, maxRecordBytes);
    appendText(sink, text.slice(at, at + units));
    at += units;
  }
  sink.oversizedBytes += oversize === 'split' ? 0 : end - start - 2 * at;
}
