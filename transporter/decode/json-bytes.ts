import { isUtf8 } from 'node:buffer';
import type { CodecName } from '../../shared/config/codec-fields.ts';
import { compress } from '../../shared/codec/compress.ts';
import { growScratch, putBackScratch, takeScratch } from './scratch.ts';

/**
 * JSON that grows as bytes. Values are copied from bytes to bytes: by way of strings the same takes twice as
 * long.
 */
export interface JsonBytes {
  /** Printable ASCII, as it is. */
  ascii(text: string): void;
  /** Text as a JSON string. */
  text(text: string): void;
  /** Bytes as a JSON string; false, and nothing is written, when they are not UTF-8 (RFC 3629). */
  utf8(bytes: Uint8Array, start: number, end: number): boolean;
  /** Bytes as a JSON string of their base64 (RFC 4648, section 4). */
  base64(bytes: Buffer, start: number, end: number): void;
  readonly length: number;
  /** Until the next write. */
  view(): Uint8Array;
  /** Forgets what was written after the first `length` bytes. */
  cutTo(length: number): void;
  /** Gives its memory back; it may not be used again. */
  release(): void;
  /** All of it as one frame; then releases it. */
  compressed(codec: CodecName, level: number | undefined): Promise<Uint8Array>;
}

/** It grows, and a thread uses its largest again. */
const FIRST_BYTES = 64 * 1024;
/** A multiple of three, so that the texts join; V8 ends a string at half a gibibyte. */
const BASE64_STEP = 3 * 1024 * 1024;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX = '0123456789abcdef';

/** Of control characters that have an escape of two characters (RFC 8259, section 7). */
const SHORT_ESCAPE: Readonly<Record<number, number>> = {
  [0x08]: 0x62,
  [0x09]: 0x74,
  [0x0a]: 0x6e,
  [0x0c]: 0x66,
  [0x0d]: 0x72,
};

/** 1 for the bytes that a JSON string cannot have as they are. */
const IS_ESCAPED = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 1 : 0,
);

export function createJsonBytes(): JsonBytes {
  let out = takeScratch(FIRST_BYTES);
  let at = 0;

  const ensure = (bytes: number): void => {
    if (at + bytes > out.length) out = growScratch(out, at, at + bytes);
  };

  const ascii = (text: string): void => {
    ensure(text.length);
    const target = out;
    for (let i = 0; i < text.length; i += 1) target[at + i] = text.charCodeAt(i);
    at += text.length;
  };

  const utf8 = (bytes: Uint8Array, start: number, end: number): boolean => {
    ensure(6 * (end - start) + 2);
    const target = out;
    let to = at;
    let bits = 0;
    target[to++] = QUOTE;
    for (let from = start; from < end; from += 1) {
      const byte = bytes[from]!;
      bits |= byte;
      if (IS_ESCAPED[byte] === 0) target[to++] = byte;
      else {
        target[to++] = BACKSLASH;
        to = escape(target, to, byte);
      }
    }
    target[to++] = QUOTE;
    if (bits >= 0x80 && !isUtf8(bytes.subarray(start, end))) return false;
    at = to;
    return true;
  };

  return {
    ascii,
    text: (text) => {
      const bytes = Buffer.from(text);
      utf8(bytes, 0, bytes.length);
    },
    utf8,
    base64: (bytes, start, end) => {
      ensure(4 * Math.ceil((end - start) / 3) + 2);
      out[at++] = QUOTE;
      for (let from = start; from < end; from += BASE64_STEP) {
        const text = bytes.toString('base64', from, Math.min(from + BASE64_STEP, end));
        at += out.write(text, at, 'latin1');
      }
      out[at++] = QUOTE;
    },
    get length() {
      return at;
    },
    view: () => out.subarray(0, at),
    cutTo: (length) => {
      at = length;
    },
    release: () => putBackScratch(out),
    compressed: async (codec, level) => {
      const frame = await compress(codec, out.subarray(0, at), { level });
      putBackScratch(out);
      return frame;
    },
  };
}

/** What follows the backslash; returns the position after it. */
function escape(target: Uint8Array, to: number, byte: number): number {
  if (byte >= 0x20) {
    target[to] = byte; // a quote or a backslash
    return to + 1;
  }
  const short = SHORT_ESCAPE[byte];
  if (short !== undefined) {
    target[to] = short;
    return to + 1;
  }
  target[to] = 0x75;
  target[to + 1] = 0x30;
  target[to + 2] = 0x30;
  target[to + 3] = HEX.charCodeAt(byte >> 4);
  target[to + 4] = HEX.charCodeAt(byte & 15);
  return to + 5;
}
