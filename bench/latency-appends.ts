import { createAccessLog } from './access-log.ts';

/** Some seventeen lines: a busy log is written in pieces like this one. */
export const APPEND_BYTES = 4096;
const MARK = '#';
const MARK_CODE = 0x23;
const ZERO = 0x30;
const NEWLINE = 0x0a;
const DIGITS = 12;
const MARK_BYTES = 1 + DIGITS;
/** Different appends; they are used again and again, with another mark in front of their last lines. */
const APPENDS = 2_000;

export function appendIntervalMs(rate: number): number {
  return (APPEND_BYTES / rate) * 1000;
}

export function fileName(index: number): string {
  return `app-${index}.log`;
}

/** The first line of a file, by which it differs from all others, and the mark of none. */
export function firstLine(index: number): string {
  return `file ${index} of the latency benchmark\n`;
}

/** Whole lines of access log; the last one begins with a mark and is as long as it takes. */
export function makeAppends(): Buffer[] {
  const nextLine = createAccessLog(1, Date.UTC(2026, 0, 1));
  return Array.from({ length: APPENDS }, () => {
    let text = '';
    for (let line = nextLine(); text.length + line.length < APPEND_BYTES - 300; line = nextLine())
      text += `${line}\n`;
    const last = `${MARK}${'0'.repeat(DIGITS)} ${nextLine()}`;
    const rest = APPEND_BYTES - 1 - text.length;
    return Buffer.from(`${text}${last.padEnd(rest, '.').slice(0, rest)}\n`, 'latin1');
  });
}

/** Writes the number of the append into its last line, which is complete when the whole append has arrived. */
export function markAppend(append: Buffer, index: number): void {
  const lastLine = append.lastIndexOf(NEWLINE, append.length - 2) + 1;
  append.write(String(index).padStart(DIGITS, '0'), lastLine + 1, 'latin1');
}

/** The number of the append whose last line this is; undefined for any other line. */
export function markOf(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end - start < MARK_BYTES || bytes[start] !== MARK_CODE) return undefined;
  let index = 0;
  for (let at = start + 1; at < start + MARK_BYTES; at += 1) index = index * 10 + bytes[at]! - ZERO;
  return index;
}
