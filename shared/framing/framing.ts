/**
 * How the bytes of a file become records. It is plain data: it crosses to the encoding threads, and an intent keeps it, so
 * that a batch is cut in the same places when it is built again after a crash, whatever the configuration says by then.
 */

/** What the bytes of a file are. `utf-16`: the byte order mark decides, little endian without one (Encoding Standard, 4.2). */
export type FileEncoding = 'bytes' | 'utf-16le' | 'utf-16be' | 'utf-16';

/** With the byte order known. Lines in UTF-16 become records in UTF-8; everything else travels untouched. */
export type LineEncoding = Exclude<FileEncoding, 'utf-16'>;

interface LineFields {
  /** The line break: 1 to 16 bytes of UTF-8, in the file's own encoding where that is UTF-16. */
  delimiter: string;
  /** A carriage return in front of the line break that ends a record is no part of the record. */
  stripCarriageReturn: boolean;
  encoding: FileEncoding;
}

/** A record is a line, without its line break. */
export interface NewlineFraming extends LineFields {
  type: 'newline';
}

/** A record is a line and those that go on with it, with the line breaks between them but without the last one. */
export interface MultilineFraming extends LineFields {
  type: 'multiline';
  /** `start`: a line that matches begins a record. `continue`: a line that does not match begins one. */
  matches: 'start' | 'continue';
  pattern: string;
}

/** A record is as many bytes as the unsigned number in front of it says. */
export interface LengthPrefixedFraming {
  type: 'length-prefixed';
  prefixSize: 2 | 4 | 8;
  byteOrder: 'big-endian' | 'little-endian';
  /** A larger length is damage: nothing that follows it in the file can be found. */
  maxFrameBytes: number;
}

export type LineFraming = NewlineFraming | MultilineFraming;
export type Framing = LineFraming | LengthPrefixedFraming;

/** What a pipeline has that does not say otherwise, and what an intent without a framing was built with. */
export const LINES: NewlineFraming = {
  type: 'newline',
  delimiter: '\n',
  stripCarriageReturn: false,
  encoding: 'bytes',
};

/** Lines that end with a line feed and of which nothing else is asked: the fast way, which every log takes that can. */
export function isPlainLines(framing: Framing): boolean {
  return (
    framing.type === 'newline' &&
    framing.delimiter === '\n' &&
    !framing.stripCarriageReturn &&
    framing.encoding === 'bytes'
  );
}

/** The bytes that end a line in a file; undefined where records have no such end, or its bytes depend on the file. */
export function delimiterOf(framing: Framing): Uint8Array | undefined {
  if (framing.type === 'length-prefixed' || framing.encoding !== 'bytes') return undefined;
  return Buffer.from(framing.delimiter);
}
