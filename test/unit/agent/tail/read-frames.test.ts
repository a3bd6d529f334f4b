import { describe, expect, test } from 'vitest';
import { readRecords } from '../../../../agent/tail/read-records.ts';
import type { ReadLimits, ReadPosition } from '../../../../agent/tail/read-result.ts';
import { fromHex } from '../../codec/hex.ts';
import { memoryFile } from '../memory-file.ts';

const LIMITS: ReadLimits = {
  chunkBytes: 64,
  maxRecordBytes: 1_000,
  oversize: 'split',
  framing: { type: 'length-prefixed', prefixSize: 4, byteOrder: 'big-endian', maxFrameBytes: 1 << 20 },
  encoding: 'bytes',
  final: false,
};
const START: ReadPosition = { offset: 0, skipping: false };

const read = (content: Buffer | string, limits: Partial<ReadLimits> = {}, from = START) =>
  readRecords(memoryFile(content), from, { ...LIMITS, ...limits });

describe('a length', () => {
  test('of which not all bytes are there waits', async () => {
    expect(await read(fromHex('000000'))).toEqual({ kind: 'partial', bytes: 3 });
    expect(await read('')).toEqual({ kind: 'nothing' });
  });

  test('is believed no further than the largest record: nothing of its size is read or allocated', async () => {
    const file = memoryFile(Buffer.concat([fromHex('000fffff'), Buffer.alloc(500)]));
    expect(await readRecords(file, START, LIMITS)).toEqual({ kind: 'partial', bytes: 504 });
    expect(Math.max(...file.reads.map(({ length }) => length))).toBeLessThanOrEqual(4 + 1_000 + 1);
  });

  test('that is too large for the largest record and for the file: its beginning goes at once', async () => {
    const result = await read(Buffer.concat([fromHex('00002710'), Buffer.alloc(1_500)]));
    expect(result).toMatchObject({
      kind: 'records',
      end: 1_004,
      terminated: false,
      cut: true,
      next: { offset: 1_004, skipping: false, restBytes: 9_000 },
    });
  });

  test('behind whole records does not keep them', async () => {
    const result = await read(fromHex('00000001 61 00000002 6262 ffffffff 00'));
    expect(result).toMatchObject({ kind: 'records', end: 11, terminated: true, next: { offset: 11 } });
  });

  test('that makes no sense loses what follows, a chunk at a time', async () => {
    const content = Buffer.concat([fromHex('ffffffff'), Buffer.alloc(100)]);
    const result = await read(content);
    expect(result).toMatchObject({
      kind: 'lost',
      reason: 'bad-length',
      next: { offset: 64, skipping: true },
    });
    const next = await read(content, {}, { offset: 64, skipping: true });
    expect(next).toMatchObject({ kind: 'lost', reason: 'bad-length', next: { offset: 104, skipping: true } });
  });
});

describe('the end of a file that nobody writes any more', () => {
  test('inside a record: should the rest come after all, it is passed over, and the next record read', async () => {
    const result = await read(fromHex('00000005 616263'), { final: true });
    const next: ReadPosition = { offset: 7, skipping: true, restBytes: 2 };
    expect(result).toMatchObject({ kind: 'lost', reason: 'incomplete-record', next });
    const completed = fromHex('00000005 6162636465 00000001 66');
    expect(await read(completed, {}, next)).toEqual({
      kind: 'skip',
      next: { offset: 9, skipping: false },
      dropped: false,
    });
  });

  test('inside a length: what follows cannot be told', async () => {
    const result = await read(fromHex('0000'), { final: true });
    expect(result).toMatchObject({ kind: 'lost', next: { offset: 2, skipping: true } });
  });
});
