/**
 * What framing means, written down in the simplest way: the whole file at once, split by its definition. The code under
 * test sees the same bytes in pieces; none of its modules is used here but the types.
 */
import type { Framing, LengthPrefixedFraming, LineFraming } from '../../../shared/framing/framing.ts';
import type { OversizePolicy } from '../../../shared/wire/record-sink.ts';

export interface Limits {
  maxRecordBytes: number;
  oversize: OversizePolicy;
}

/** The values of all records of a file that nobody writes any more, and how many of its records were too long. */
export function expectedRecords(content: Buffer, framing: Framing, limits: Limits) {
  const whole = framing.type === 'length-prefixed' ? frames(content, framing) : lineRecords(content, framing);
  const long = whole.filter((value) => value.length > limits.maxRecordBytes);
  return { values: whole.flatMap((value) => underLimit(value, framing, limits)), oversized: long.length };
}

function underLimit(value: Buffer, framing: Framing, { maxRecordBytes, oversize }: Limits): Buffer[] {
  if (value.length <= maxRecordBytes) return [value];
  if (oversize === 'drop') return [];
  const isText = framing.type !== 'length-prefixed' && framing.encoding !== 'bytes';
  // Text in UTF-8 is cut between characters, everything else between bytes.
  const sizes = isText
    ? Array.from(value.toString('utf8'), (char) => Buffer.byteLength(char))
    : Array.from(value, () => 1);
  const pieces: Buffer[] = [];
  let start = 0;
  let end = 0;
  for (const size of sizes) {
    if (end + size - start > maxRecordBytes) {
      pieces.push(value.subarray(start, end));
      start = end;
    }
    end += size;
  }
  pieces.push(value.subarray(start, end));
  return oversize === 'truncate' ? pieces.slice(0, 1) : pieces;
}

/** By the definition: length, value, length, value. */
function frames(content: Buffer, { prefixSize, byteOrder }: LengthPrefixedFraming): Buffer[] {
  const values: Buffer[] = [];
  for (let at = 0; at + prefixSize <= content.length;) {
    const prefix = [...content.subarray(at, at + prefixSize)];
    if (byteOrder === 'little-endian') prefix.reverse();
    const end = at + prefixSize + prefix.reduce((length, byte) => length * 256 + byte, 0);
    if (end > content.length) break; // never completed: no record
    values.push(content.subarray(at + prefixSize, end));
    at = end;
  }
  return values;
}

/**
 * As text with a character for each byte, or, of UTF-16, as the decoder of the Encoding Standard gives it; a last single
 * byte is one character more.
 */
function textOf(content: Buffer, { encoding }: LineFraming): string {
  if (encoding === 'bytes') return content.toString('latin1');
  const isBig =
    encoding === 'utf-16be' || (encoding === 'utf-16' && content[0] === 0xfe && content[1] === 0xff);
  const units = content.subarray(0, content.length & ~1);
  const text = new TextDecoder(isBig ? 'utf-16be' : 'utf-16le').decode(units);
  return units.length === content.length ? text : `${text}\ufffd`;
}

function lineRecords(content: Buffer, framing: LineFraming): Buffer[] {
  const isBytes = framing.encoding === 'bytes';
  const lineBreak = isBytes ? Buffer.from(framing.delimiter).toString('latin1') : framing.delimiter;
  const lines = textOf(content, framing).split(lineBreak);
  const unfinished = lines.pop()!;
  const isWhole = unfinished === '';
  if (!isWhole) lines.push(unfinished);
  const records: string[][] = [];
  for (const line of lines) {
    if (records.length === 0 || beginsRecord(line, framing)) records.push([line]);
    else records.at(-1)!.push(line);
  }
  return records.map((record, i) => {
    const hasLineBreak = isWhole || i < records.length - 1;
    const text = record.join(lineBreak);
    const stripped = framing.stripCarriageReturn && hasLineBreak ? text.replace(/\r$/, '') : text;
    return Buffer.from(stripped, isBytes ? 'latin1' : 'utf8');
  });
}

function beginsRecord(line: string, framing: LineFraming): boolean {
  if (framing.type === 'newline') return true;
  const bytes = Buffer.from(line, framing.encoding === 'bytes' ? 'latin1' : 'utf16le').subarray(0, 1024);
  const seen = bytes.toString(framing.encoding === 'bytes' ? 'utf8' : 'utf16le');
  const matched = new RegExp(framing.pattern).test(
    line.length === seen.length ? seen.replace(/\r$/, '') : seen,
  );
  return matched === (framing.matches === 'start');
}
