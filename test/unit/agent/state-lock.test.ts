import { once } from 'node:events';
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { lockStateDirectory } from '../../../agent/state-lock.ts';
import { spawnWithLifeline } from '../../../scripts/stack/lifeline.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Another process that holds the lock of `directory`, as an agent does: it listens. */
async function holder(directory: string) {
  const program = `require('node:net').createServer((s) => s.destroy()).listen(process.argv[1], () => console.log('held'))`;
  const { child, release } = spawnWithLifeline(
    process.execPath,
    ['-e', program, join(directory, 'agent.lock')],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const exited = once(child, 'exit').then(release);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await once(child.stdout!, 'data');
  return {
    kill: async (): Promise<void> => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

describe('two agents on one state directory', () => {
  test('the second refuses, in the same process', async () => {
    const directory = await tempDir();
    const lock = await lockStateDirectory(directory);
    await expect(lockStateDirectory(directory)).rejects.toMatchObject({
      code: 'STATE_DIR_LOCKED',
      where: { stateDir: directory },
    });
    await lock.release();
  });

  test('the second refuses, in another process, and leaves the first its lock', async () => {
    const directory = await tempDir();
    await holder(directory);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await expect(lockStateDirectory(directory)).rejects.toMatchObject({ code: 'STATE_DIR_LOCKED' });
    }
  });

  test('of two that start together one gets it', async () => {
    const directory = await tempDir();
    const results = await Promise.allSettled([1, 2, 3].map(() => lockStateDirectory(directory)));
    const locks = results.filter((result) => result.status === 'fulfilled');
    expect(locks).toHaveLength(1);
    await locks[0]!.value.release();
  });
});

describe('an agent that has ended', () => {
  test('in order: the next one gets the lock', async () => {
    const directory = await tempDir();
    await (await lockStateDirectory(directory)).release();
    const second = await lockStateDirectory(directory);
    await expect(lockStateDirectory(directory)).rejects.toMatchObject({ code: 'STATE_DIR_LOCKED' });
    await second.release();
  });

  test('by SIGKILL: what it left behind is taken over', async () => {
    const directory = await tempDir();
    const other = await holder(directory);
    await other.kill();
    expect((await stat(join(directory, 'agent.lock'))).isSocket()).toBe(true);
    const lock = await lockStateDirectory(directory);
    await expect(lockStateDirectory(directory)).rejects.toMatchObject({ code: 'STATE_DIR_LOCKED' });
    await lock.release();
  });
});

test('of several that start together after a SIGKILL one gets it', async () => {
  for (let round = 0; round < 8; round += 1) {
    const directory = await tempDir();
    const other = await holder(directory);
    await other.kill();
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => lockStateDirectory(directory)));
    const locks = results.filter((result) => result.status === 'fulfilled');
    expect(locks).toHaveLength(1);
    await locks[0]!.value.release();
  }
});

test('an agent that was killed while it took over does not keep the next one out for long', async () => {
  const directory = await tempDir();
  const other = await holder(directory);
  await other.kill();
  const guard = join(directory, 'agent.lock.takeover');
  await mkdir(guard);
  await expect(lockStateDirectory(directory)).rejects.toMatchObject({ code: 'STATE_DIR_LOCKED' });
  const minuteAgo = Date.now() / 1000 - 60;
  await utimes(guard, minuteAgo, minuteAgo);
  const lock = await lockStateDirectory(directory);
  await lock.release();
  await expect(stat(guard)).rejects.toMatchObject({ code: 'ENOENT' });
});

describe('a state directory that cannot be used', () => {
  test('is made when it is missing', async () => {
    const directory = join(await tempDir(), 'a', 'b');
    const lock = await lockStateDirectory(directory);
    expect((await stat(directory)).isDirectory()).toBe(true);
    await lock.release();
  });

  test('that is a file', async () => {
    const directory = join(await tempDir(), 'state');
    await writeFile(directory, '');
    await expect(lockStateDirectory(directory)).rejects.toMatchObject({ code: 'STATE_DIR_UNUSABLE' });
  });

  test('whose path is too long for a socket address (unix(7)) is said so, in bytes and not in characters', async () => {
    const base = await tempDir();
    const long = join(base, 'ü'.repeat(50));
    await expect(lockStateDirectory(long)).rejects.toMatchObject({
      code: 'STATE_DIR_UNUSABLE',
      message: expect.stringContaining('too long'),
    });
  });
});
