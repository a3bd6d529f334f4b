import { describe, expect, test } from 'vitest';
import { markBehind } from '../../../../agent/discover/mark.ts';
import type { OpenFile } from '../../../../agent/discover/file-system.ts';
import { guardedFile } from '../../../../agent/tail/guarded-file.ts';
import { readRecords } from '../../../../agent/tail/read-records.ts';
import { LINES } from '../../../../shared/framing/framing.ts';
import { memoryFile } from '../memory-file.ts';

const LIMITS = {
  maxRecordBytes: 1_000_000,
  oversize: 'split',
  framing: LINES,
  encoding: 'bytes',
  final: false,
} as const;
const READ = 'the line that was read\n';

/** The file once its first line was read; `calls` is the number of reads after which `exchange` happens. */
function setUp(content: string, calls: number, exchange: string) {
  const file = memoryFile(content);
  let reads = 0;
  const slow: OpenFile = {
    ...file,
    read: async (...args) => {
      const count = await file.read(...args);
      reads += 1;
      if (reads === calls) file.bytes = Buffer.from(exchange);
      return count;
    },
  };
  return { file, slow };
}

const mark = markBehind(Buffer.from(READ), READ.length, READ.length);

async function step(file: OpenFile, chunkBytes: number, offset = READ.length) {
  const guarded = guardedFile(file, offset === 0 ? undefined : mark);
  const result = await readRecords(guarded, { offset, skipping: false }, { ...LIMITS, chunkBytes });
  const text =
    result.kind === 'records' ? Buffer.from(result.bytes.subarray(0, result.end)).toString() : result.kind;
  return { text, intact: await guarded.intact() };
}

describe('content that is still what it was', () => {
  test.each([64, 200_000])('is read as it is, in reads of %i bytes at most', async (readsAtMost) => {
    const rest = `${'a'.repeat(100_000)}\n`;
    const file = memoryFile(READ + rest);
    file.readsAtMost = readsAtMost;
    expect(await step(file, rest.length)).toEqual({ text: rest, intact: true });
  });

  test('a short chunk behind a mark is one read of the file, a mark included', async () => {
    const file = memoryFile(`${READ}next\n`);
    expect(await step(file, 5)).toEqual({ text: 'next\n', intact: true });
    expect(file.reads).toEqual([{ position: 0, length: READ.length + 5 }]);
  });

  test('nothing new is nothing', async () => {
    expect(await step(memoryFile(READ), 10)).toEqual({ text: 'nothing', intact: true });
  });
});

describe('content that was exchanged', () => {
  test('before the read, for something longer: what was read gives it away', async () => {
    const { intact } = await step(memoryFile(`another line, as long. \nand one more\n`), 10);
    expect(intact).toBe(false);
  });

  test('before the read, for something shorter', async () => {
    expect((await step(memoryFile('short\n'), 10)).intact).toBe(false);
  });

  test('between two pieces of one short chunk: half of an old line and half of a new one are no line', async () => {
    const { file, slow } = setUp(`${READ}old old old old\n`, 1, `${'new '.repeat(20)}\n`);
    file.readsAtMost = READ.length + 5;
    expect((await step(slow, 16)).intact).toBe(false);
  });

  test('between two pieces of one long chunk', async () => {
    const old = `${READ}${'o'.repeat(150_000)}\n`;
    const { file, slow } = setUp(old, 2, `${'n'.repeat(200_000)}\n`);
    file.readsAtMost = 50_000;
    expect((await step(slow, 150_001)).intact).toBe(false);
  });

  test('within the one read of a long chunk', async () => {
    const { slow } = setUp(`${READ}${'o'.repeat(150_000)}\n`, 1, `${'n'.repeat(200_000)}\n`);
    expect((await step(slow, 150_001)).intact).toBe(false);
  });

  test('at the beginning of a file, where there is no mark yet', async () => {
    const { file, slow } = setUp('old old old old old\n', 1, `${'new '.repeat(20)}\n`);
    file.readsAtMost = 7;
    expect((await step(slow, 20, 0)).intact).toBe(false);
  });
});
