import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardDirectory } from '../stack/lifeline.ts';

/** Everything that the demo writes beside the stack's own data. */
export interface Workspace {
  readonly path: string;
  /** Configuration, state and log of an agent or worker. */
  homeOf(name: string): string;
  logOf(name: string): string;
  /** A copy of a file or directory goes into the workspace; what is not there is left out. */
  saveCopy(from: string, as: string): Promise<void>;
  /** Removes it; without this it goes when this process ends, even by SIGKILL. */
  remove(): Promise<void>;
  /** It stays when this process ends. */
  keep(): void;
}

export async function createWorkspace(): Promise<Workspace> {
  const path = await mkdtemp(join(tmpdir(), 'skald-demo-'));
  const guard = guardDirectory(path);
  await mkdir(join(path, 'logs'));
  return {
    path,
    homeOf: (name) => join(path, name),
    logOf: (name) => join(path, 'logs', `${name}.log`),
    saveCopy: async (from, as) => cp(from, join(path, as), { recursive: true }).catch(() => {}),
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      guard.release();
    },
    keep: () => guard.release(),
  };
}
