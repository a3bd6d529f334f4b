import { appendFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SEARCH_MS } from '../../../../agent/tail/displaced.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { follower } from './follower.ts';

/** Copies are looked for so long, and a little more. */
const UNTIL_GIVEN_UP_MS = SEARCH_MS + 5_000;

async function setUp(options: Parameters<typeof follower>[1] = {}) {
  const directory = await tempDir();
  const log = join(directory, 'app.log');
  return {
    log,
    write: (text: string): Promise<void> => appendFile(log, text),
    truncate: (length = 0): Promise<void> => truncate(log, length),
    f: await follower(directory, options),
  };
}

describe('copytruncate', () => {
  test('of a file that was read to its end: the new lines from the beginning, nothing lost', async () => {
    const { f, write, truncate } = await setUp();
    await write('a1\na2\na3\n');
    expect(await f.look()).toBe('a1\na2\na3\n');
    await truncate();
    expect(await f.look()).toBe('');
    await write('b1\n');
    expect(await f.look()).toBe('b1\n');
    expect(f.lost).toEqual([]);
  });

  test('and written to again before the next look', async () => {
    const { f, write, truncate } = await setUp();
    await write('a1\na2\na3\n');
    await f.look();
    await truncate();
    await write('b1\n');
    expect(await f.look()).toBe('b1\n');
    expect(f.lost).toEqual([]);
  });

  test('again and again: the journal remembers one file', async () => {
    const { f, write, truncate } = await setUp();
    for (let round = 0; round < 10; round += 1) {
      await write(`round ${round}, this is a line\n`);
      expect(await f.look()).toBe(`round ${round}, this is a line\n`);
      await truncate();
      await f.look();
    }
    await f.idle(UNTIL_GIVEN_UP_MS);
    expect(f.journal.state.files.size).toBe(1);
  });

  test('with a backlog that was seen: its bytes are counted as lost and said at ERROR', async () => {
    const { f, write, truncate } = await setUp();
    await write('a1\n');
    await f.look();
    await write('a2\na3\n');
    await f.poll(); // seen, not read
    await truncate();
    await f.poll();
    await f.idle(UNTIL_GIVEN_UP_MS);
    expect(f.lost).toEqual([[6, 'truncated']]);
    const errors = f.logged.filter((line) => line.level === 'error');
    expect(errors.map(({ fields }) => [fields['from'], fields['to']])).toEqual([[3, 9]]);
  });

  test('and the read comes before the next look: they are counted all the same', async () => {
    const { f, write, truncate } = await setUp();
    await write('a1\n');
    await f.look();
    await write('a2\na3\n');
    await f.poll();
    await truncate();
    expect(await f.readOn()).toBe('');
    await f.idle(UNTIL_GIVEN_UP_MS);
    expect(f.lost).toEqual([[6, 'truncated']]);
  });

  test('to a length between what was read and what was seen: what is gone is counted, the rest is read', async () => {
    const { f, write, truncate } = await setUp();
    const first = `${'a'.repeat(2_000)}\n`;
    await write(first);
    await f.look();
    await write('a2\na3\na4\n');
    await f.poll();
    await truncate(first.length + 3);
    await f.poll();
    expect(await f.readOn()).toBe('a2\n');
    expect(f.lost).toEqual([[6, 'truncated']]);
  });

  test('with a partial last line: its bytes are lost, and it is not glued to the next line', async () => {
    const { f, write, truncate } = await setUp();
    await write('a1\nhalf a li');
    expect(await f.look()).toBe('a1\n');
    await truncate();
    await write('b1\n');
    expect(await f.look()).toBe('b1\n');
    await f.idle(UNTIL_GIVEN_UP_MS);
    expect(f.lost).toEqual([[9, 'truncated']]);
  });

  test('while down, with a backlog that was seen and not read: counted, however the agent ended', async () => {
    const { f, write, truncate } = await setUp();
    await write('a1\n');
    await f.look();
    await write('a2\na3\n');
    await f.poll();
    await f.clock.advance(2_000);
    await f.poll();
    await f.die(truncate);
    await f.idle(UNTIL_GIVEN_UP_MS);
    expect(f.lost).toEqual([[6, 'truncated']]);

    await write('b1\n');
    await f.look();
    await write('b2\n');
    await f.poll();
    await f.restart(truncate);
    await f.idle(UNTIL_GIVEN_UP_MS);
    expect(f.lost.slice(1)).toEqual([[3, 'truncated']]);
  });

  test('while down, to a length between what was read and what was seen: what is gone is counted, the rest is read', async () => {
    const { f, write, truncate } = await setUp();
    const first = `${'a'.repeat(2_000)}\n`;
    await write(first);
    await f.look();
    await write('a2\na3\na4\n');
    await f.poll();
    await f.clock.advance(2_000);
    await f.poll();
    await f.restart(() => truncate(first.length + 3));
    expect(await f.look()).toBe('a2\n');
    expect(f.lost).toEqual([[6, 'truncated']]);
  });

  test('and again, to a greater length, before a line of the new content was read: that is counted', async () => {
    const { f, write, truncate } = await setUp();
    await write('a1\n');
    await f.look();
    await truncate();
    await write('b1');
    await f.poll();
    await truncate();
    await write('c1\n');
    await f.idle(UNTIL_GIVEN_UP_MS);
    expect(f.lost).toEqual([[2, 'truncated']]);
  });

  test('and grown beyond it at once, after two looks at a backlog: it is counted', async () => {
    const { f, write, truncate } = await setUp();
    const first = `${'a'.repeat(2_000)}\n`;
    await write(first);
    await f.look();
    await write('a2\na3\n');
    await f.poll();
    await f.clock.advance(2_000);
    await f.poll();
    await truncate();
    await write(`${'b'.repeat(3_000)}\n`);
    await f.idle(UNTIL_GIVEN_UP_MS);
    expect(f.lost).toEqual([[6, 'truncated']]);
  });

  test('while down, to less than was read: from the beginning', async () => {
    const { f, write, truncate } = await setUp();
    await write('a1\na2\n');
    await f.look();
    await f.restart(async () => {
      await truncate();
      await write('b1\n');
    });
    expect(await f.look()).toBe('b1\n');
  });

  test('while down, and grown again beyond what was read, with another beginning: from the beginning', async () => {
    const { f, write, truncate } = await setUp();
    await write('a1\na2\n');
    await f.look();
    await f.restart(async () => {
      await truncate();
      await write('b1\nb2\nb3\n');
    });
    expect(await f.look()).toBe('b1\nb2\nb3\n');
  });
});

test('a file that is rewritten in place by another one of the same length: from the beginning after a restart', async () => {
  const { f, log, write } = await setUp();
  await write('first file\n');
  await f.look();
  await f.restart(() => writeFile(log, 'other file\n'));
  expect(await f.look()).toBe('other file\n');
});

test('a short file that is truncated and grows beyond its old size between two looks, with another beginning', async () => {
  const { f, write, truncate } = await setUp();
  await write('a1\n');
  await f.look();
  await truncate();
  await write('b1\nb2\nb3\n');
  expect(await f.look()).toBe('b1\nb2\nb3\n');
});

test('a long file that is truncated and grows beyond its old size while the agent was held up for a while', async () => {
  const { f, write, truncate } = await setUp();
  const before = `${'a'.repeat(3_000)}\n`;
  const after = `${'b'.repeat(4_000)}\n`;
  await write(before);
  expect(await f.look()).toBe(before);
  await truncate();
  await write(after);
  await f.clock.advance(60_000); // brokers were away, and reading waited for them
  expect(await f.look()).toBe(after);
});

describe('truncated and written anew with the same first kilobyte', () => {
  const banner = '# the same banner in each file\n'.repeat(40);

  test.each(['shorter', 'as long', 'longer'] as const)(
    '%s than before, between two looks',
    async (length) => {
      const { f, write, truncate } = await setUp();
      const before = `${banner}a1 a1 a1\n`;
      const fresh = banner + { shorter: 'b1\n', 'as long': 'b1 b1 b1\n', longer: 'b1 b1 b1\nb2\n' }[length];
      await write(before);
      expect(await f.look()).toBe(before);
      await truncate();
      await write(fresh);
      let text = await f.look();
      text += await f.look(); // a read that found other content begins anew at the next look
      expect(text).toBe(fresh);
    },
  );

  test.each(['shorter', 'as long', 'longer'] as const)('%s than before, while down', async (length) => {
    const { f, write, truncate } = await setUp();
    const before = `${banner}a1 a1 a1\n`;
    const fresh = banner + { shorter: 'b1\n', 'as long': 'b1 b1 b1\n', longer: 'b1 b1 b1\nb2\n' }[length];
    await write(before);
    expect(await f.look()).toBe(before);
    await f.restart(async () => {
      await truncate();
      await write(fresh);
    });
    expect(await f.look()).toBe(fresh);
  });

  test('the same bytes up to the old end, and more: nobody can tell that from a file that has grown', async () => {
    const { f, write, truncate } = await setUp();
    await write(`${banner}a1\n`);
    await f.look();
    await truncate();
    await write(`${banner}a1\na2\n`);
    expect((await f.look()) + (await f.look())).toBe('a2\n');
  });
});

test('rewritten in place to the same length, while the agent looks on', async () => {
  const { f, write, log } = await setUp();
  const line = (letter: string): string => `${letter.repeat(2_000)}\n`;
  await write(line('a'));
  await f.look();
  await writeFile(log, line('b'));
  expect(await f.look()).toBe(line('b'));
});

test('a file that was seen, and truncated and written anew before its first line was read: the new lines once, the old ones counted', async () => {
  const { f, write, truncate } = await setUp();
  await write('a1 is a line\n');
  await f.scan();
  await f.poll(); // brokers hold up the reading
  await truncate();
  await write('b1 is another line\nb2\n');
  let text = await f.readOn();
  text += await f.idle(UNTIL_GIVEN_UP_MS);
  expect(text).toBe('b1 is another line\nb2\n');
  expect(f.lost).toEqual([[13, 'truncated']]);
});

test('a partial line that was seen, before the file was truncated and grew beyond it: counted', async () => {
  const { f, write, truncate } = await setUp();
  const first = `${'a'.repeat(2_000)}\n`;
  await write(first);
  await f.look();
  await write('half a li');
  await f.look();
  await truncate();
  await write(`${'b'.repeat(3_000)}\n`);
  await f.idle(UNTIL_GIVEN_UP_MS);
  expect(f.lost).toEqual([[9, 'truncated']]);
});
