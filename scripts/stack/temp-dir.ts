import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardDirectory } from './lifeline.ts';

export interface TempDir {
  readonly path: string;
  remove(): Promise<void>;
}

/** A directory that is removed by `remove()`, or when this process ends in any other way, SIGKILL included. */
export async function makeTempDir(prefix: string): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  const guard = guardDirectory(path);
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      guard.release();
    },
  };
}
