/**
 * One journal entry is one line: eight hex digits of the CRC-32C of what follows, a space, JSON, a newline. Readable
 * with a pager, and a torn or flipped line is told from a whole one.
 */
import { crc32c } from '../../shared/wire/crc32c.ts';
import type { Entry } from './entries.ts';

/** Producer ids are 64 bits wide, beyond what a JSON number keeps. */
const BIGINT_KEYS = new Set(['producerId']);

export function formatEntry(entry: Entry): string {
  const json = JSON.stringify(entry, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  return `${crc32c(Buffer.from(json)).toString(16).padStart(8, '0')} ${json}\n`;
}

/** Undefined when the line is not what `formatEntry` wrote. */
export function parseEntry(line: string): Entry | undefined {
  const json = line.slice(9);
  const sum = crc32c(Buffer.from(json)).toString(16).padStart(8, '0');
  if (line[8] !== ' ' || line.slice(0, 8) !== sum) return undefined;
  // The checksum says that formatEntry wrote it.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return JSON.parse(json, (key, value: unknown) =>
    BIGINT_KEYS.has(key) && typeof value === 'string' ? BigInt(value) : value,
  ) as Entry;
}

export interface ParsedJournal {
  entries: Entry[];
  /** Length of the part in front of the first line that is torn or damaged. */
  goodBytes: number;
}

/** Entries up to the first line that is torn or damaged: what follows it may build on what it said. */
export function parseJournal(bytes: Buffer): ParsedJournal {
  const entries: Entry[] = [];
  let at = 0;
  while (at < bytes.length) {
    const newline = bytes.indexOf(0x0a, at);
    if (newline === -1) break;
    const entry = parseEntry(bytes.toString('utf8', at, newline));
    if (entry === undefined) break;
    entries.push(entry);
    at = newline + 1;
  }
  return { entries, goodBytes: at };
}
