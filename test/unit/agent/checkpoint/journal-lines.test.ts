import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatEntry, parseEntry, parseJournal } from '../../../../agent/checkpoint/journal-lines.ts';
import { historyOf, steps } from './some-history.ts';

describe('one entry, one line', () => {
  test('a checksum, a space and JSON that a person can read', () => {
    // The CRC-32C was worked out bit by bit in Python, after RFC 3720, appendix B.4.
    expect(formatEntry({ t: 'forget', id: 'fd-1-1' })).toBe('dac10232 {"t":"forget","id":"fd-1-1"}\n');
  });

  test('every entry that can be written is read back the same', () => {
    fc.assert(
      fc.property(steps, (history) => {
        for (const entry of historyOf(history)) {
          expect(parseEntry(formatEntry(entry).trimEnd())).toEqual(entry);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('a producer id keeps all of its 64 bits, in an intent inside of a replacement too', () => {
    const producerId = 2n ** 63n - 1n;
    const parsed = parseEntry(formatEntry({ t: 'producer', producerId, producerEpoch: 0 }).trimEnd());
    expect(parsed).toEqual({ t: 'producer', producerId, producerEpoch: 0 });
  });

  test('a path with line breaks, quotes and a broken surrogate stays on one line', () => {
    const entry = { t: 'move', id: 'a', path: '/logs/a\n"b"\u2028\ud800.log' } as const;
    const line = formatEntry(entry);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(parseEntry(line.trimEnd())).toEqual(entry);
  });

  test('any flipped bit is noticed', () => {
    const line = formatEntry({ t: 'commit', n: 5, offset: 77 }).trimEnd();
    for (let at = 0; at < line.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const damaged = Buffer.from(line);
        damaged[at]! ^= 1 << bit;
        expect(parseEntry(damaged.toString('utf8')), `bit ${bit} of byte ${at}`).toBeUndefined();
      }
    }
  });
});

describe('a whole journal', () => {
  const FIRST = formatEntry({ t: 'commit', n: 1, offset: 10 });
  const SECOND = formatEntry({ t: 'commit', n: 2, offset: 20 });
  const THIRD = formatEntry({ t: 'commit', n: 3, offset: 30 });

  test('is read to its end', () => {
    const { entries, goodBytes } = parseJournal(Buffer.from(FIRST + SECOND + THIRD));
    expect(entries.map((entry) => entry.t === 'commit' && entry.n)).toEqual([1, 2, 3]);
    expect(goodBytes).toBe((FIRST + SECOND + THIRD).length);
  });

  test('torn at any byte of its last line: all the lines before it', () => {
    for (let cut = 0; cut < THIRD.length; cut += 1) {
      const { entries, goodBytes } = parseJournal(Buffer.from(FIRST + SECOND + THIRD.slice(0, cut)));
      expect(entries, `cut at ${cut}`).toHaveLength(2);
      expect(goodBytes, `cut at ${cut}`).toBe((FIRST + SECOND).length);
    }
  });

  test('damaged in the middle: nothing after the damage is believed, because it may build on it', () => {
    const damaged = Buffer.from(FIRST + SECOND + THIRD);
    damaged[FIRST.length + 12]! ^= 1;
    expect(parseJournal(damaged)).toMatchObject({ entries: [{ n: 1 }], goodBytes: FIRST.length });
  });

  test('an empty file, and one of NULs as a power cut leaves it, hold nothing', () => {
    expect(parseJournal(Buffer.alloc(0))).toEqual({ entries: [], goodBytes: 0 });
    expect(parseJournal(Buffer.alloc(4096))).toEqual({ entries: [], goodBytes: 0 });
  });
});
