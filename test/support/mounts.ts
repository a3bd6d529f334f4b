import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Mounts, and lets go of it when the test is over. The directory must be there. */
export function mountForTest(directory: string, ...args: string[]): void {
  execFileSync('mount', [...args, directory], { stdio: 'ignore' });
  onTestFinished(() => void execFileSync('umount', ['--lazy', directory], { stdio: 'ignore' }));
}

/** A small file system in memory at `directory`, which is made. */
export function tmpfsForTest(directory: string, size: string): void {
  mkdirSync(directory, { recursive: true });
  mountForTest(directory, '-t', 'tmpfs', '-o', `size=${size}`, 'none');
}

/** Whether this process may mount: as root on a machine of its own, mostly not in a container. */
export function mayMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'skald-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', directory], { stdio: 'ignore' });
    execFileSync('umount', [directory], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(directory);
  }
}
