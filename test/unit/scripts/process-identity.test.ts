import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { identityOf, isAlive } from '../../../scripts/stack/process-identity.ts';

describe('the identity of a process', () => {
  test('stays the same while it runs', () => {
    const identity = identityOf(process.pid)!;

    expect(identity.pid).toBe(process.pid);
    expect(isAlive(identity)).toBe(true);
  });

  test('ends with the process', async () => {
    const child = spawn('sleep', ['60']);
    const identity = identityOf(child.pid!)!;
    expect(isAlive(identity)).toBe(true);

    child.kill('SIGKILL');
    await once(child, 'exit');

    expect(identityOf(child.pid!)).toBeUndefined();
    expect(isAlive(identity)).toBe(false);
  });

  test.runIf(process.platform === 'linux')('is not that of a later process with the same id', () => {
    const { pid, startTime } = identityOf(process.pid)!;

    expect(startTime).toMatch(/^\d+$/);
    expect(isAlive({ pid, startTime: String(Number(startTime) - 1) })).toBe(false);
  });
});
