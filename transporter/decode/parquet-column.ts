/**
 * Columns of Parquet, encoded PLAIN (github.com/apache/parquet-format, Encodings.md). Bytes go from the
 * record to the page without an object in between; decision 9 says why that is ours and the rest a library's.
 */
import { isUtf8 } from 'node:buffer';
import type { SchemaElement } from 'hyparquet';
import { compress } from '../../shared/codec/compress.ts';
import type { CodecName } from '../../shared/config/codec-fields.ts';
import { createLevels } from './parquet-levels.ts';

export type ColumnValue = string | number | bigint | boolean;

/** Some rows of a column. */
export interface ColumnPage {
  rows: number;
  bytes: Uint8Array;
  /** Before compression. */
  plainBytes: number;
}

export interface FinishedColumn {
  element: SchemaElement;
  pages: ColumnPage[];
  nulls: number;
  min: number | bigint | undefined;
  max: number | bigint | undefined;
}

/** The values of one column of a row group, as they come. */
export interface ColumnWriter {
  addNull(): void;
  /** To a column of byte arrays. */
  addBytes(bytes: Uint8Array, start: number, end: number): void;
  /** The same for a column of texts; false, and nothing is added, when the bytes are not UTF-8. */
  addUtf8(bytes: Uint8Array, start: number, end: number): boolean;
  /** Of the kind that the column's physical type wants; whole numbers for INT32 and INT64. */
  add(value: ColumnValue): void;
  /** Bytes of all values before compression. */
  readonly plainBytes: number;
  finish(): Promise<FinishedColumn>;
}

/** Readers decompress a page at a time. */
const PAGE_BYTES = 1024 * 1024;
const FIRST_BYTES = 16 * 1024;

export function createColumn(
  element: SchemaElement,
  { codec, level }: { codec: CodecName; level?: number | undefined },
): ColumnWriter {
  const isOptional = element.repetition_type === 'OPTIONAL';
  const pages: Promise<ColumnPage>[] = [];
  let levels = createLevels();
  let out = Buffer.allocUnsafeSlow(FIRST_BYTES);
  let at = 0;
  let values = 0;
  let nulls = 0;
  let closedBytes = 0;
  let min: number | bigint | undefined;
  let max: number | bigint | undefined;

  const ensure = (bytes: number): void => {
    if (at + bytes <= out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * out.length, at + bytes));
    out.copy(larger, 0, 0, at);
    out = larger;
  };

  const count = (): void => {
    values += 1;
    levels.add(1);
    if (at >= PAGE_BYTES) closePage();
  };

  const closePage = (): void => {
    const { rows } = levels;
    if (rows === 0) return;
    const plain = Buffer.concat([...(isOptional ? [levels.bytes()] : []), out.subarray(0, at)]);
    pages.push(
      compress(codec, plain, { level }).then((bytes) => ({ rows, bytes, plainBytes: plain.length })),
    );
    closedBytes += plain.length;
    levels = createLevels();
    at = 0;
    values = 0;
  };

  const note = (value: number | bigint): void => {
    if (min === undefined || value < min) min = value;
    if (max === undefined || value > max) max = value;
  };

  /** Copies a value behind the last one and returns all its bits joined: 0x80 among them says that it is not ASCII. */
  const copyIn = (bytes: Uint8Array, start: number, end: number): number => {
    const size = end - start;
    ensure(4 + size);
    const target = out;
    let to = target.writeUInt32LE(size, at);
    let bits = 0;
    // For the length of a log line, a loop takes half the time of a call with a view.
    for (let from = start; from < end; from += 1) {
      const byte = bytes[from]!;
      target[to++] = byte;
      bits |= byte;
    }
    return bits;
  };

  const accept = (size: number): void => {
    at += 4 + size;
    count();
  };

  const addBytes = (bytes: Uint8Array, start: number, end: number): void => {
    copyIn(bytes, start, end);
    accept(end - start);
  };

  const addUtf8 = (bytes: Uint8Array, start: number, end: number): boolean => {
    const bits = copyIn(bytes, start, end);
    if (bits >= 0x80 && !isUtf8(bytes.subarray(start, end))) return false;
    accept(end - start);
    return true;
  };

  const addNumber = (value: number | bigint): void => {
    ensure(8);
    switch (element.type) {
      case 'INT32':
        at = out.writeInt32LE(Number(value), at);
        break;
      case 'INT64':
        at = writeInt64(out, at, value);
        break;
      case 'FLOAT':
        at = out.writeFloatLE(Number(value), at);
        break;
      case 'DOUBLE':
        at = out.writeDoubleLE(Number(value), at);
        break;
      default:
        throw new TypeError(`a number in column ${element.name} of ${element.type}`);
    }
    note(value);
    count();
  };

  /** Eight to a byte, the lowest bit first. */
  const addBoolean = (value: boolean): void => {
    const bit = values % 8;
    if (bit === 0) {
      ensure(1);
      out[at] = 0;
      at += 1;
    }
    if (value) out[at - 1]! |= 1 << bit;
    count();
  };

  return {
    addNull: () => {
      nulls += 1;
      levels.add(0);
    },
    addBytes,
    addUtf8,
    add: (value) => {
      if (typeof value === 'string') {
        const bytes = Buffer.from(value);
        addBytes(bytes, 0, bytes.length);
      } else if (typeof value === 'boolean') addBoolean(value);
      else addNumber(value);
    },
    get plainBytes() {
      return closedBytes + at;
    },
    finish: async () => {
      closePage();
      return { element, pages: await Promise.all(pages), nulls, min, max };
    },
  };
}

function writeInt64(out: Buffer, at: number, value: number | bigint): number {
  if (typeof value === 'bigint') return out.writeBigInt64LE(value, at);
  if (!Number.isSafeInteger(value)) return out.writeBigInt64LE(BigInt(value), at);
  out.writeUInt32LE(value >>> 0, at);
  return out.writeInt32LE(Math.floor(value / 2 ** 32), at + 4);
}
