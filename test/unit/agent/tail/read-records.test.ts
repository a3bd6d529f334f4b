import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeFileSystem, type OpenFile } from '../../../../agent/discover/file-system.ts';
import { readRecords } from '../../../../agent/tail/read-records.ts';
import type { ReadLimits, ReadPosition } from '../../../../agent/tail/read-result.ts';
import { LINES } from '../../../../shared/framing/framing.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { memoryFile } from '../memory-file.ts';

const LIMITS: ReadLimits = {
  chunkBytes: 64,
  maxRecordBytes: 1_000,
  oversize: 'split',
  framing: LINES,
  encoding: 'bytes',
  final: false,
};
const START: ReadPosition = { offset: 0, skipping: false };

interface Pass {
  /** The pieces that came as lines, with the newline where there is one. */
  lines: Buffer[];
  /** The ranges of the file that they came from. */
  ranges: [start: number, end: number][];
  droppedRecords: number;
  skippedBytes: number;
  end: ReadPosition;
  last: 'partial' | 'nothing';
}

/** Reads a file on until it gives nothing more, as the reader does. */
async function readAll(file: OpenFile, limits: Partial<ReadLimits> = {}, from = START): Promise<Pass> {
  const pass: Pass = {
    lines: [],
    ranges: [],
    droppedRecords: 0,
    skippedBytes: 0,
    end: from,
    last: 'nothing',
  };
  for (let reads = 0; reads < 100_000; reads += 1) {
    const result = await readRecords(file, pass.end, { ...LIMITS, ...limits });
    if (result.kind === 'nothing' || result.kind === 'partial') return { ...pass, last: result.kind };
    if (result.next.offset <= pass.end.offset) throw new Error(`no progress at ${pass.end.offset}`);
    if (result.kind === 'records') {
      const { bytes, end, terminated, next } = result;
      if (terminated !== (bytes[end - 1] === 0x0a)) throw new Error('terminated says something else');
      pass.ranges.push([pass.end.offset, pass.end.offset + end]);
      pass.lines.push(...splitLines(Buffer.from(bytes.subarray(0, end))));
      pass.end = next;
    } else if (result.kind === 'lost') throw new Error(result.message);
    else {
      pass.skippedBytes += result.next.offset - pass.end.offset;
      pass.droppedRecords += result.dropped ? 1 : 0;
      pass.end = result.next;
    }
  }
  throw new Error('reads for ever');
}

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline === -1 ? bytes.length : newline + 1;
    lines.push(bytes.subarray(at, end));
    at = end;
  }
  return lines;
}

const texts = (pass: Pass): string[] => pass.lines.map((line) => line.toString('latin1'));

describe('whole lines', () => {
  test('of a real file, up to the last newline', async () => {
    const path = join(await tempDir(), 'app.log');
    await writeFile(path, 'one\ntwo\n\nfour');
    const file = await nodeFileSystem.open(path);
    const pass = await readAll(file);
    await file.close();
    expect(texts(pass)).toEqual(['one\n', 'two\n', '\n']);
    expect(pass).toMatchObject({ end: { offset: 9, skipping: false }, last: 'partial' });
  });

  test('an empty file gives nothing, one byte without a newline is a part, a lone newline is an empty line', async () => {
    expect(await readRecords(memoryFile(''), START, LIMITS)).toEqual({ kind: 'nothing' });
    expect(await readRecords(memoryFile('x'), START, LIMITS)).toEqual({ kind: 'partial', bytes: 1 });
    expect(texts(await readAll(memoryFile('\n')))).toEqual(['\n']);
  });

  test('a part that is completed later comes once, whole', async () => {
    const file = memoryFile('first\nbegin');
    const pass = await readAll(file);
    file.bytes = Buffer.from('first\nbeginning and end\n');
    expect(texts(pass)).toEqual(['first\n']);
    expect(texts(await readAll(file, {}, pass.end))).toEqual(['beginning and end\n']);
  });

  test('a position in the middle reads on from there', async () => {
    const pass = await readAll(memoryFile('one\ntwo\n'), {}, { offset: 4, skipping: false });
    expect(texts(pass)).toEqual(['two\n']);
  });

  test('CR LF cut between its two bytes by the end of a chunk stays together', async () => {
    const text = `${'a'.repeat(62)}\r\n${'b'.repeat(62)}\r\n`;
    for (const chunkBytes of [62, 63, 64, 65]) {
      expect(texts(await readAll(memoryFile(text), { chunkBytes }))).toEqual([
        `${'a'.repeat(62)}\r\n`,
        `${'b'.repeat(62)}\r\n`,
      ]);
    }
  });

  test('NULs, invalid UTF-8 and every other byte come through untouched', async () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i).filter((byte) => byte !== 0x0a));
    const nuls = Buffer.alloc(500);
    const broken = Buffer.from([0xc3, 0x28, 0xed, 0xa0, 0x80, 0xff, 0xfe]);
    const newline = Buffer.from('\n');
    const bytes = Buffer.concat([every, newline, nuls, newline, broken, newline]);
    const pass = await readAll(memoryFile(bytes));
    expect(pass.lines).toEqual([every, nuls, broken].map((line) => Buffer.concat([line, newline])));
  });

  test('lines longer than a chunk are read whole, by larger reads', async () => {
    const line = `${'x'.repeat(900)}\n`;
    expect(texts(await readAll(memoryFile(line + line), { chunkBytes: 1 }))).toEqual([line, line]);
  });

  test('short reads change nothing', async () => {
    const file = memoryFile('one\ntwo\nthree\nfo');
    file.readsAtMost = 1;
    const pass = await readAll(file);
    expect(texts(pass)).toEqual(['one\n', 'two\n', 'three\n']);
    expect(pass.last).toBe('partial');
  });

  test('a read error is thrown with its code, and the next read goes on from the same place', async () => {
    const file = memoryFile('one\n');
    file.failsWith = 'EIO';
    await expect(readRecords(file, START, LIMITS)).rejects.toMatchObject({ code: 'EIO' });
    file.failsWith = undefined;
    expect(texts(await readAll(file))).toEqual(['one\n']);
  });
});

describe('a last line that nobody will complete', () => {
  test('comes as it is', async () => {
    const pass = await readAll(memoryFile('one\ntwo'), { final: true });
    expect(texts(pass)).toEqual(['one\n', 'two']);
    expect(pass).toMatchObject({ end: { offset: 7 }, last: 'nothing' });
  });

  test('of exactly a chunk, and of exactly the largest record', async () => {
    for (const length of [64, 1_000]) {
      const text = 'x'.repeat(length);
      expect(texts(await readAll(memoryFile(text), { final: true }))).toEqual([text]);
    }
  });

  test('whose rest was to be passed over leaves nothing', async () => {
    const pass = await readAll(
      memoryFile('tail of a long line'),
      { final: true },
      { offset: 5, skipping: true },
    );
    expect(texts(pass)).toEqual([]);
    expect(pass.end).toEqual({ offset: 19, skipping: true });
  });
});

describe('a line of the largest size', () => {
  const MAX = 1_000;
  const line = (length: number): string => `${'y'.repeat(length)}\n`;

  test.each(['truncate', 'split', 'drop'] as const)(
    'less one, and exactly that size, a hundred times: whole, with %s',
    async (oversize) => {
      const text = line(MAX - 1).repeat(100) + line(MAX).repeat(100) + line(0);
      for (const chunkBytes of [1, 999, 1_000, 1_001, 1_002, 4_096]) {
        const pass = await readAll(memoryFile(text), { oversize, chunkBytes });
        expect(pass.lines.map((bytes) => bytes.length)).toEqual([
          ...Array.from({ length: 100 }, () => MAX),
          ...Array.from({ length: 100 }, () => MAX + 1),
          1,
        ]);
        expect(pass.skippedBytes).toBe(0);
      }
    },
  );

  test('that is not complete yet waits: it may end with the next byte', async () => {
    for (const oversize of ['truncate', 'split', 'drop'] as const) {
      const result = await readRecords(memoryFile('y'.repeat(MAX)), START, { ...LIMITS, oversize });
      expect(result).toEqual({ kind: 'partial', bytes: MAX });
    }
  });
});

describe('a line that is too long', () => {
  // Chunks that do not hold it whole; where one does, the encoder applies the same policy.
  const LONG = 'z'.repeat(3_500);
  const TEXT = `before\n${LONG}\nafter\n`;

  test('split: pieces of the largest size and the rest, nothing missing', async () => {
    const pass = await readAll(memoryFile(TEXT));
    expect(texts(pass)).toEqual([
      'before\n',
      ...Array.from({ length: 3 }, () => 'z'.repeat(1_000)),
      `${'z'.repeat(500)}\n`,
      'after\n',
    ]);
    expect(pass.skippedBytes).toBe(0);
  });

  test('truncate: its beginning, and its rest is passed over up to the newline', async () => {
    const pass = await readAll(memoryFile(TEXT), { oversize: 'truncate' });
    expect(texts(pass)).toEqual(['before\n', 'z'.repeat(1_000), 'after\n']);
    expect(pass).toMatchObject({ skippedBytes: 2_501, droppedRecords: 0, end: { offset: TEXT.length } });
  });

  test('drop: nothing of it, counted once however many reads it takes', async () => {
    const pass = await readAll(memoryFile(TEXT), { oversize: 'drop' });
    expect(texts(pass)).toEqual(['before\n', 'after\n']);
    expect(pass).toMatchObject({ skippedBytes: 3_501, droppedRecords: 1, end: { offset: TEXT.length } });
  });

  test('one byte too long', async () => {
    const text = `${'z'.repeat(1_001)}\nafter\n`;
    expect(texts(await readAll(memoryFile(text)))).toEqual(['z'.repeat(1_000), 'z\n', 'after\n']);
    expect(texts(await readAll(memoryFile(text), { oversize: 'truncate' }))).toEqual([
      'z'.repeat(1_000),
      'after\n',
    ]);
    expect(texts(await readAll(memoryFile(text), { oversize: 'drop' }))).toEqual(['after\n']);
  });

  test('still being written: what is dropped or cut off stays that when more of it comes', async () => {
    for (const oversize of ['truncate', 'drop'] as const) {
      const file = memoryFile('z'.repeat(1_200));
      const first = await readAll(file, { oversize });
      expect(first.end).toEqual({ offset: 1_200, skipping: true });
      file.bytes = Buffer.from(`${'z'.repeat(5_000)}\nafter\n`);
      expect(texts(await readAll(file, { oversize }, first.end))).toEqual(['after\n']);
    }
  });

  test('100 MiB without a newline: read at most the largest record and a chunk at a time', async () => {
    const sizeBytes = 100 * 1024 * 1024;
    const file = memoryFile('');
    file.read = (into, at, length, position) => {
      const count = Math.min(length, sizeBytes - position);
      into.fill(0x7a, at, at + count);
      file.reads.push({ position, length });
      return Promise.resolve(count);
    };
    const limits = { chunkBytes: 1 << 20, maxRecordBytes: 1_024_000, oversize: 'truncate' as const };
    const pass = await readAll(file, limits);
    expect(pass.end).toEqual({ offset: sizeBytes, skipping: true });
    expect(pass.lines).toHaveLength(1);
    expect(Math.max(...file.reads.map((read) => read.length))).toBeLessThanOrEqual(1 << 20);
  });
});

test('whatever the bytes, chunks and read sizes: split gives every byte, once, in order', async () => {
  const content = fc.array(fc.constantFrom(0x0a, 0x0d, 0x00, 0x61, 0xff), { maxLength: 400 });
  await fc.assert(
    fc.asyncProperty(
      content,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 20 }),
      async (bytes, chunkBytes, maxRecordBytes, readsAtMost) => {
        const file = memoryFile(Buffer.from(bytes));
        file.readsAtMost = readsAtMost;
        const pass = await readAll(file, { chunkBytes, maxRecordBytes, final: true });
        expect(Buffer.concat(pass.lines)).toEqual(Buffer.from(bytes));
        let at = 0;
        for (const [start, end] of pass.ranges) {
          expect(start).toBe(at);
          at = end;
        }
        expect(at).toBe(bytes.length);
      },
    ),
    { numRuns: 300 },
  );
});

test('whatever the bytes and chunks: truncate and drop give what a reader of the whole file would', async () => {
  const line = fc.tuple(fc.nat(60), fc.constantFrom('a', '\0', '\xff'));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 20 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom('truncate' as const, 'drop' as const),
      async (lines, chunkBytes, oversize) => {
        const maxRecordBytes = 30;
        const text = lines.map(([length, char]) => `${char.repeat(length)}\n`).join('');
        const pass = await readAll(memoryFile(Buffer.from(text, 'latin1')), {
          chunkBytes,
          maxRecordBytes,
          oversize,
        });
        const expected = lines
          .filter(([length]) => oversize === 'truncate' || length <= maxRecordBytes)
          .map(([length, char]) => char.repeat(Math.min(length, maxRecordBytes)));
        // A chunk that holds a long line whole leaves it to the encoder, which cuts it in the same way.
        const records = texts(pass)
          .map((record) => record.replace(/\n$/, ''))
          .filter((record) => oversize === 'truncate' || record.length <= maxRecordBytes)
          .map((record) => record.slice(0, maxRecordBytes));
        expect(records).toEqual(expected);
        expect(pass.end).toEqual({ offset: text.length, skipping: false });
      },
    ),
    { numRuns: 300 },
  );
});
