/** Where records that are made of lines end, as far as the bytes that are there can tell. */
import type { LineEncoding, LineFraming } from '../../shared/framing/framing.ts';
import { lineBreaks } from '../../shared/framing/line-breaks.ts';
import { MATCHED_BYTES, recordPattern } from '../../shared/framing/line-pattern.ts';
import { byteOrderMarkBytes, decodeUtf16, unitsWithin } from '../../shared/framing/utf16.ts';

/** `isAll` says that nothing will follow the bytes: a last line without a line break counts as it is. */
export interface RecordEnds {
  /** Where the last whole record of `bytes` ends; 0 when none is whole. The bytes begin with a record. */
  readonly lastEnd: (bytes: Buffer, isAll: boolean) => number;
  /** Where the last whole line of `bytes` ends; 0 when none is whole. */
  readonly lastLineEnd: (bytes: Buffer) => number;
  /**
   * For bytes that begin inside a record: where the next one begins; undefined when it is not there, or not surely. Then
   * nothing in front of `searchOn` has to be looked at again.
   */
  readonly nextStart: (bytes: Buffer, isAll: boolean) => { start: number | undefined; searchOn: number };
  /** With so many bytes and no end of a record in them, the record is longer than `maxRecordBytes`. */
  readonly certainBytes: (maxRecordBytes: number) => number;
  /** Where a record that is too long is cut. */
  readonly cutAt: (bytes: Buffer, maxRecordBytes: number, isFileStart: boolean) => number;
}

export function recordEnds(framing: LineFraming, encoding: LineEncoding): RecordEnds {
  const breaks = lineBreaks(framing.delimiter, encoding);
  const matches = framing.type === 'multiline' ? recordPattern(framing, encoding) : undefined;
  /** Of a line that is not whole, this much must be there before it is looked at: more than a pattern sees of it. */
  const lookBytes = matches === undefined ? 0 : MATCHED_BYTES + breaks.bytes;

  /** Whether a record begins with the line at `start`; undefined when that cannot be told yet. */
  const begins = (bytes: Buffer, start: number, isAll: boolean): boolean | undefined => {
    if (matches === undefined) return true;
    const lineEnd = breaks.next(bytes, start);
    const end = lineEnd === -1 ? bytes.length : lineEnd;
    const isSure = lineEnd !== -1 || end - start >= lookBytes || (isAll && end > start);
    return isSure ? matches(bytes, start, end) : undefined;
  };

  const lastLineEnd = (bytes: Buffer): number => {
    const at = breaks.last(bytes, bytes.length);
    return at === -1 ? 0 : at + breaks.bytes;
  };

  return {
    lastLineEnd,
    lastEnd: (bytes, isAll) => {
      if (matches === undefined) return lastLineEnd(bytes);
      // From behind: few lines have to be matched before one begins a record.
      for (let at = breaks.last(bytes, bytes.length); at !== -1; at = breaks.last(bytes, at)) {
        const lineStart = at + breaks.bytes;
        if (begins(bytes, lineStart, isAll) === true) return lineStart;
      }
      return 0;
    },
    nextStart: (bytes, isAll) => {
      for (let at = breaks.next(bytes, 0); at !== -1; at = breaks.next(bytes, at + breaks.bytes)) {
        const start = at + breaks.bytes;
        const isStart = begins(bytes, start, isAll);
        if (isStart === true) return { start, searchOn: start };
        // On from the line break, because only what follows one is taken for a line.
        if (isStart === undefined) return { start: undefined, searchOn: at };
      }
      // The last bytes may be the beginning of a line break.
      const tail = Math.max(0, bytes.length - breaks.bytes + 1);
      return { start: undefined, searchOn: Math.ceil(tail / breaks.unitBytes) * breaks.unitBytes };
    },
    certainBytes: (maxRecordBytes) => {
      const { unitBytes } = breaks;
      // A code unit of UTF-16 becomes one byte of UTF-8 at least. What is taken off a line does not count.
      const carriageReturn = framing.stripCarriageReturn ? unitBytes : 0;
      const byteOrderMark = unitBytes === 2 ? 2 : 0;
      return maxRecordBytes * unitBytes + carriageReturn + byteOrderMark + breaks.bytes + lookBytes;
    },
    cutAt: (bytes, maxRecordBytes, isFileStart) => {
      if (encoding === 'bytes') return maxRecordBytes;
      const head = isFileStart ? byteOrderMarkBytes(bytes, encoding) : 0;
      return head + 2 * unitsWithin(decodeUtf16(bytes, head, bytes.length, encoding), 0, maxRecordBytes);
    },
  };
}
