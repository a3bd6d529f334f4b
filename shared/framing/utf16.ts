/** Text in UTF-16 as files hold it (RFC 2781), and what it becomes. */
import type { FileEncoding, LineEncoding } from './framing.ts';

/** Bytes of the byte order mark, U+FEFF, when `bytes`, the beginning of a file, begin with the one of `encoding`. */
export function byteOrderMarkBytes(bytes: Uint8Array, encoding: LineEncoding): number {
  if (encoding === 'bytes' || bytes.length < 2) return 0;
  const [first, second] = encoding === 'utf-16be' ? [0xfe, 0xff] : [0xff, 0xfe];
  return bytes[0] === first && bytes[1] === second ? 2 : 0;
}

/** The encoding with its byte order, from the first bytes of the file. */
export function byteOrderOf(encoding: FileEncoding, head: Uint8Array): LineEncoding {
  if (encoding !== 'utf-16') return encoding;
  return byteOrderMarkBytes(head, 'utf-16be') > 0 ? 'utf-16be' : 'utf-16le';
}

/** bytes[start, end) as a string. A last single byte, half of a code unit, becomes U+FFFD. */
export function decodeUtf16(bytes: Buffer, start: number, end: number, encoding: LineEncoding): string {
  const evenEnd = end - ((end - start) & 1);
  const text =
    encoding === 'utf-16be'
      ? Buffer.from(bytes.subarray(start, evenEnd)).swap16().toString('utf16le')
      : bytes.toString('utf16le', start, evenEnd);
  return evenEnd === end ? text : `${text}\ufffd`;
}

const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Code units of `text` that are half of a surrogate pair and stand alone; UTF-8 has no form for them (RFC 3629, 3). */
export function countLoneSurrogates(text: string): number {
  return text.match(LONE_SURROGATE)?.length ?? 0;
}

/** How many code units from `start` on take at most `maxBytes` as UTF-8; at least one character, and never half a pair. */
export function unitsWithin(text: string, start: number, maxBytes: number): number {
  let bytes = 0;
  let at = start;
  while (at < text.length) {
    const point = text.codePointAt(at)!;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (bytes > maxBytes && at > start) break;
    at += point < 0x10000 ? 1 : 2;
  }
  return at - start;
}
