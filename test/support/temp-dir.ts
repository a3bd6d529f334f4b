import { onTestFinished } from 'vitest';
import { makeTempDir } from '../../scripts/stack/temp-dir.ts';

/** A directory that is removed when the current test is over, also when the test process is killed. */
export async function tempDir(): Promise<string> {
  const directory = await makeTempDir('skald-test-');
  onTestFinished(() => directory.remove());
  return directory.path;
}
