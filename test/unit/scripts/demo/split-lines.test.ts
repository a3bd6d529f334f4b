import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLineSplitter } from '../../../../scripts/demo/split-lines.ts';

test('lines are the same wherever the bytes were cut, and belong to whoever got them', () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((values) =>
    // Line feeds are made common, or most texts would be one line.
    Uint8Array.from(values, (value) => (value % 5 === 0 ? 0x0a : value)),
  );
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(200), { maxLength: 5 }), (text, cuts) => {
      const expected = Buffer.from(text).toString('latin1').split('\n');
      const rest = expected.pop()!;
      const lines: string[] = [];
      const splitter = createLineSplitter((line) => lines.push(Buffer.from(line).toString('latin1')));

      const bounds = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
      for (const [index, end] of bounds.entries()) {
        const piece = text.slice(bounds[index - 1] ?? 0, end);
        splitter.push(piece);
        piece.fill(0x2a); // a reader fills its buffer again
      }

      expect(lines).toEqual(expected);
      expect(Buffer.from(splitter.rest()).toString('latin1')).toBe(rest);
      expect(splitter.restBytes).toBe(rest.length);
    }),
  );
});
