/** Line breaks in bytes. Positions are those of a buffer that begins where a line begins, which is a whole code unit. */
import type { LineEncoding } from './framing.ts';

const CARRIAGE_RETURN = 0x0d;

export interface LineBreaks {
  /** Length of a line break. */
  readonly bytes: number;
  /** Of a character of which the line break is made: 2 in UTF-16. A line break begins at a multiple of it. */
  readonly unitBytes: 1 | 2;
  /** Where the first line break at or behind `from` begins; -1 when there is none. */
  readonly next: (buffer: Buffer, from: number) => number;
  /** Where the last line break that ends at or in front of `before` begins; -1 when there is none. The buffer begins with a line. */
  readonly last: (buffer: Buffer, before: number) => number;
  /** Where the text [start, end) of a line ends without a carriage return. */
  readonly withoutCarriageReturn: (buffer: Buffer, start: number, end: number) => number;
}

export function lineBreaks(delimiter: string, encoding: LineEncoding): LineBreaks {
  const bytes = delimiterBytes(delimiter, encoding);
  const unitBytes = encoding === 'bytes' ? 1 : 2;
  // A number is searched for with memchr.
  const needle = bytes.length === 1 ? bytes[0]! : bytes;

  const next = (buffer: Buffer, from: number): number => {
    let at = buffer.indexOf(needle, from);
    while (at !== -1 && at % unitBytes !== 0) at = buffer.indexOf(needle, at + 1);
    return at;
  };

  const lastFromBehind = (buffer: Buffer, before: number): number => {
    let at = before < bytes.length ? -1 : buffer.lastIndexOf(needle, before - bytes.length);
    while (at > 0 && at % unitBytes !== 0) at = buffer.lastIndexOf(needle, at - 1);
    return at;
  };

  // Where line breaks could overlap, as two of "\n\n" in three line feeds, only a walk from the front finds the right ones.
  const lastFromFront = (buffer: Buffer, before: number): number => {
    let last = -1;
    for (
      let at = next(buffer, 0);
      at !== -1 && at + bytes.length <= before;
      at = next(buffer, last + bytes.length)
    ) {
      last = at;
    }
    return last;
  };

  const withoutCarriageReturn = (buffer: Buffer, start: number, end: number): number => {
    const at = end - unitBytes;
    if (at < start) return end;
    const [low, high] = encoding === 'utf-16be' ? [buffer[at + 1], buffer[at]] : [buffer[at], buffer[at + 1]];
    return low === CARRIAGE_RETURN && (unitBytes === 1 || high === 0) ? at : end;
  };

  const last = overlapsItself(bytes) ? lastFromFront : lastFromBehind;
  return { bytes: bytes.length, unitBytes, next, last, withoutCarriageReturn };
}

function delimiterBytes(delimiter: string, encoding: LineEncoding): Buffer {
  if (encoding === 'bytes') return Buffer.from(delimiter, 'utf8');
  const bytes = Buffer.from(delimiter, 'utf16le');
  return encoding === 'utf-16be' ? bytes.swap16() : bytes;
}

/** Whether its end is its beginning too: "\n\n" twice fits into three line feeds, and only once counts. */
export function overlapsItself(bytes: Buffer): boolean {
  for (let size = 1; size < bytes.length; size++) {
    if (bytes.subarray(0, size).equals(bytes.subarray(bytes.length - size))) return true;
  }
  return false;
}
