import type { LineEncoding, LineFraming } from './framing.ts';
import { lineBreaks } from './line-breaks.ts';
import { recordPattern } from './line-pattern.ts';

/** A record's value is bytes[valueStart, valueEnd); the next record begins at `next`. */
export type VisitRecord = (valueStart: number, valueEnd: number, next: number) => void;

/**
 * Calls `visit` for each record of `bytes`, which begin where a record begins, or where the rest of one begins that was
 * cut. `terminated` says that they end with a line break, and a record ends with it. Otherwise the last of them has no
 * line break: with multi-line framing there is then only one.
 */
export function walkLines(
  bytes: Buffer,
  terminated: boolean,
  { framing, encoding }: { framing: LineFraming; encoding: LineEncoding },
  visit: VisitRecord,
): void {
  const breaks = lineBreaks(framing.delimiter, encoding);
  const beginsRecord = framing.type === 'multiline' ? recordPattern(framing, encoding) : undefined;
  const textEnd = (start: number, end: number): number =>
    framing.stripCarriageReturn ? breaks.withoutCarriageReturn(bytes, start, end) : end;

  if (beginsRecord !== undefined && !terminated) {
    if (bytes.length > 0) visit(0, bytes.length, bytes.length);
    return;
  }
  let start = 0;
  let at = 0;
  while (at < bytes.length) {
    const lineEnd = breaks.next(bytes, at);
    if (lineEnd === -1) break; // the last line has none
    at = lineEnd + breaks.bytes;
    if (beginsRecord === undefined || at >= bytes.length || isFirst(at)) {
      visit(start, textEnd(start, lineEnd), at);
      start = at;
    }
  }
  if (start < bytes.length) visit(start, bytes.length, bytes.length);

  function isFirst(lineStart: number): boolean {
    const lineEnd = breaks.next(bytes, lineStart);
    return beginsRecord!(bytes, lineStart, lineEnd === -1 ? bytes.length : lineEnd);
  }
}
