import { describe, expect, test } from 'vitest';
import { rebuildIntent } from '../../../../agent/checkpoint/rebuild.ts';
import type { IntentRange } from '../../../../agent/checkpoint/entries.ts';
import { memoryFile, type MemoryFile } from '../memory-file.ts';
import { someIntent } from '../publish/some-intent.ts';

// CRC-32C of "123456789", the check value of the catalogue of parametrised CRC algorithms (CRC-32/ISCSI).
const CRC32C_OF_DIGITS = 0xe306_9283;

const range = (fields: Partial<IntentRange> = {}): IntentRange => ({
  file: 'a',
  start: 3,
  end: 12,
  terminated: false,
  skipRest: true,
  crc32c: CRC32C_OF_DIGITS,
  ...fields,
});

function setUp(files: Record<string, MemoryFile>) {
  return (...ranges: IntentRange[]) =>
    rebuildIntent(someIntent({ ranges }), (id) => Promise.resolve(files[id]));
}

describe('the lines of an intent, read again', () => {
  test('are the same bytes, with all that the encoder needs', async () => {
    const file = memoryFile('---123456789+++');
    const segments = await setUp({ a: file })(range());
    expect(segments).toEqual([
      {
        bytes: Buffer.from('123456789'),
        start: 0,
        end: 9,
        terminated: false,
        skipRest: true,
        fileId: 'a',
        fileOffset: 3,
      },
    ]);
    expect(file.closed).toBe(1);
  });

  test('by short reads too', async () => {
    const file = memoryFile('---123456789+++');
    file.readsAtMost = 2;
    expect((await setUp({ a: file })(range()))![0]!.bytes).toEqual(Buffer.from('123456789'));
  });

  test('of several files, in the order of the intent', async () => {
    const rebuild = setUp({ a: memoryFile('---123456789'), b: memoryFile('123456789') });
    const segments = await rebuild(range({ file: 'b', start: 0, end: 9 }), range());
    expect(segments!.map((s) => [s.fileId, s.fileOffset])).toEqual([
      ['b', 0],
      ['a', 3],
    ]);
  });

  test.each([
    ['the file cannot be found', undefined],
    ['the file has become shorter', '---1234567'],
    ['a byte is another one', '---123456780+++'],
    ['the file was rewritten at the same length', 'xxxxxxxxxxxxxxx'],
  ])('%s: nothing may go out under the old identity', async (_, content) => {
    const files = content === undefined ? {} : { a: memoryFile(content) };
    expect(await setUp(files)(range())).toBeUndefined();
    for (const file of Object.values(files)) expect(file.closed).toBe(1);
  });

  test('one range of several is gone: all of the batch is', async () => {
    const rebuild = setUp({ a: memoryFile('---123456789') });
    expect(await rebuild(range(), range({ file: 'gone' }))).toBeUndefined();
  });

  test('a range that is held in memory needs no file, also when its bytes were given away to a thread before', async () => {
    const one = range();
    const held = new Map([[one, Uint8Array.from(Buffer.from('123456789'))]]);
    const rebuild = () =>
      rebuildIntent(someIntent({ ranges: [one] }), () => Promise.resolve(undefined), held);
    const [first] = (await rebuild())!;
    const { buffer } = first!.bytes;
    if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] });
    expect(first!.bytes).toHaveLength(0);
    const [second] = (await rebuild())!;
    expect(Buffer.from(second!.bytes).toString()).toBe('123456789');
    expect(second).toMatchObject({ start: 0, end: 9, terminated: false, skipRest: true, fileOffset: 3 });
  });

  test('a read error is thrown on, and the file closed', async () => {
    const file = memoryFile('---123456789');
    file.failsWith = 'EIO';
    await expect(setUp({ a: file })(range())).rejects.toMatchObject({ code: 'EIO' });
    expect(file.closed).toBe(1);
  });
});
