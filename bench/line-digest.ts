import { crc32 } from 'node:zlib';

/** What a set of lines is, in whatever order they come: one that is missing, doubled or changed changes it. */
export interface LineDigest {
  lines: number;
  /** Without line feeds. */
  bytes: number;
  /** The sum modulo 2^48 of each line's CRC-32 (the one of zlib). */
  sum: number;
}

const NEWLINE = 0x0a;
const MODULUS = 2 ** 48;

/** Takes the lines of a stream of bytes, as it comes in pieces. */
export class LineDigester {
  readonly digest: LineDigest = { lines: 0, bytes: 0, sum: 0 };
  #rest: Buffer = Buffer.alloc(0);

  add(piece: Buffer): void {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const { digest } = this;
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      digest.lines += 1;
      digest.bytes += end - start;
      digest.sum = (digest.sum + crc32(bytes.subarray(start, end))) % MODULUS;
      start = end + 1;
    }
    this.#rest = bytes.subarray(start);
  }

  /** Bytes behind the last line feed. */
  get restBytes(): number {
    return this.#rest.length;
  }
}

export function isSame(a: LineDigest, b: LineDigest): boolean {
  return a.lines === b.lines && a.bytes === b.bytes && a.sum === b.sum;
}
