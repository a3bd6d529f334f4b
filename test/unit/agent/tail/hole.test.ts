import { appendFile, copyFile, open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LINES } from '../../../../shared/framing/framing.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { follower, type FollowerOptions } from './follower.ts';

async function setUp(options: FollowerOptions = {}) {
  const directory = await tempDir();
  const log = join(directory, 'app.log');
  return {
    /** Writes where a writer without O_APPEND has got to. */
    writeAt: async (position: number, text: string | Buffer): Promise<void> => {
      await appendFile(log, '');
      const handle = await open(log, 'r+');
      const bytes = Buffer.from(text);
      await handle.write(bytes, 0, bytes.length, position);
      await handle.close();
    },
    truncate: (): Promise<void> => truncate(log),
    copy: (): Promise<void> => copyFile(log, `${log}.1`),
    f: await follower(directory, options),
  };
}

describe('a writer without O_APPEND goes on at its old offset after a truncation', () => {
  test.each([10, 3_000, 1_000_000])(
    'a hole of %i bytes is passed over, and the lines behind it come',
    async (offset) => {
      const { f, writeAt, truncate } = await setUp();
      const before = `${'a'.repeat(offset - 1)}\n`;
      await writeAt(0, before);
      expect(await f.idle(2_000)).toBe(before);
      await truncate();
      await writeAt(offset, 'b1\nb2\n');
      expect(await f.idle(2_000)).toBe('b1\nb2\n');
      expect(f.holes).toBe(offset);
    },
  );

  test('seen when it was empty, and after a restart', async () => {
    const { f, writeAt, truncate } = await setUp();
    await writeAt(0, 'a1\na2\n');
    await f.look();
    await truncate();
    await f.look();
    await f.restart(() => writeAt(6, 'b1\n'));
    expect(await f.idle(2_000)).toBe('b1\n');
    expect(f.holes).toBe(6);
  });

  test('truncated again before a line behind the hole was read: the hole is longer now', async () => {
    const { f, writeAt, truncate } = await setUp();
    await writeAt(0, `${'a'.repeat(2_999)}\n`);
    await f.idle(1_000);
    await truncate();
    await writeAt(3_000, `${'b'.repeat(99)}\n`);
    await f.scan();
    await f.poll();
    expect(await f.readOn()).toBe(''); // other content than before
    await f.poll(); // the hole is passed over, and brokers hold up the reading
    await truncate();
    await writeAt(3_010, 'c1\nc2\n');
    expect((await f.readOn()) + (await f.idle(2_000))).toBe('c1\nc2\n');
  });

  test('while the agent is down', async () => {
    const { f, writeAt, truncate } = await setUp();
    await writeAt(0, 'a1\na2\n');
    await f.look();
    await f.restart(async () => {
      await truncate();
      await writeAt(6, 'b1\n');
    });
    expect(await f.idle(2_000)).toBe('b1\n');
  });

  test('what the hole tells of the content before it, and nobody had read or seen, is counted as lost', async () => {
    const { f, writeAt, truncate } = await setUp();
    await writeAt(0, 'a1\na2\n');
    await f.look();
    await writeAt(6, 'a3\na4\n');
    await truncate();
    await writeAt(12, 'b1\n');
    expect(await f.idle(20_000)).toBe('b1\n');
    expect(f.lost).toEqual([[6, 'truncated']]);
    const said = f.logged.filter(({ level }) => level === 'error');
    expect(said).toMatchObject([{ fields: { from: 6, to: 12 } }]);
  });

  test('and so it is when its writer goes on after that was given up, and after a restart', async () => {
    const { f, writeAt, truncate } = await setUp();
    await writeAt(0, 'a1\na2\n');
    await f.look();
    await writeAt(6, 'a3\n');
    await f.scan();
    await f.poll(); // seen, and not read
    await writeAt(9, 'a4\n');
    await truncate();
    expect(await f.idle(20_000)).toBe('');
    expect(f.lost).toEqual([[3, 'truncated']]);
    await f.restart(() => writeAt(12, 'b1\n'));
    expect(await f.idle(2_000)).toBe('b1\n');
    expect(f.lost).toEqual([
      [3, 'truncated'],
      [3, 'truncated'],
    ]);
  });

  test('nothing is counted of what is in a copy', async () => {
    const { f, writeAt, truncate, copy } = await setUp();
    await writeAt(0, 'a1\na2\n');
    await f.look();
    await writeAt(6, 'a3\na4\n');
    await copy();
    await writeAt(12, 'a5\n');
    await truncate();
    await writeAt(15, 'b1\n');
    const read = await f.idle(20_000);
    expect(read.split('\n').sort()).toEqual(['', 'a3', 'a4', 'b1']);
    expect(f.lost).toEqual([[3, 'truncated']]);
  });

  test('while the agent dies before it has written down what came after the truncation', async () => {
    const { f, writeAt, truncate } = await setUp();
    await writeAt(0, 'a1\na2\n');
    await f.look();
    await f.journal.flush();
    await truncate();
    await writeAt(6, 'b1\n');
    await f.poll();
    await f.die(async () => {
      const entries = f.disk.content.toString().split('\n');
      const displaced = entries.findIndex((entry) => entry.includes('"t":"displaced"'));
      expect(displaced).toBeGreaterThan(0);
      f.disk.content = Buffer.from(`${entries.slice(0, displaced + 1).join('\n')}\n`);
      await Promise.resolve();
    });
    expect(await f.idle(2_000)).toBe('b1\n');
  });

  test('NULs behind the first line of the new content are bytes like others', async () => {
    const { f, writeAt, truncate } = await setUp();
    await writeAt(0, 'a1\na2\n');
    await f.look();
    await truncate();
    await writeAt(6, 'b1\n\0\0b2\n');
    expect(await f.idle(2_000)).toBe('b1\n\0\0b2\n');
    await writeAt(14, '\0\0b3\n');
    expect(await f.idle(2_000)).toBe('\0\0b3\n');
    expect(f.holes).toBe(6);
  });
});

test('NULs at the beginning of a file that was never truncated are bytes like others', async () => {
  const { f, writeAt } = await setUp();
  await writeAt(0, '\0\0\0a1\n');
  expect(await f.look()).toBe('\0\0\0a1\n');
  expect(f.holes).toBe(0);
});

test('a hole in front of UTF-16 ends between two code units, although the first of them begins with a NUL', async () => {
  const { f, writeAt, truncate } = await setUp({ framing: { ...LINES, encoding: 'utf-16be' } });
  const before = Buffer.from('a1\na2\n', 'utf16le').swap16();
  const after = Buffer.from('b1\n', 'utf16le').swap16();
  await writeAt(0, before);
  await f.idle(2_000);
  await truncate();
  await writeAt(before.length, after);
  expect(await f.idle(2_000)).toBe(after.toString('latin1'));
  expect(f.holes).toBe(before.length);
});

test('NULs in front of records with a length are lengths', async () => {
  const framing = {
    type: 'length-prefixed',
    prefixSize: 4,
    byteOrder: 'big-endian',
    maxFrameBytes: 1_000,
  } as const;
  const { f, writeAt, truncate } = await setUp({ framing });
  await writeAt(0, '\0\0\0\x05hello');
  await f.idle(2_000);
  await truncate();
  await writeAt(0, '\0\0\0\0\0\0\0\x02hi');
  expect(await f.idle(2_000)).toBe('\0\0\0\0\0\0\0\x02hi');
  expect(f.holes).toBe(0);
});
