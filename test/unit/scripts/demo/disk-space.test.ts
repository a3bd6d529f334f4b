import { expect, test } from 'vitest';
import { UsageError } from '../../../../scripts/demo/demo-error.ts';
import { requireDiskSpace } from '../../../../scripts/demo/disk-space.ts';
import { tempDir } from '../../../support/temp-dir.ts';

test('a run that the disk cannot hold is refused', async () => {
  const directory = await tempDir();

  await expect(requireDiskSpace(directory, 1e18)).rejects.toThrow(UsageError);
  await expect(requireDiskSpace(directory, 1e18)).rejects.toThrow(
    /1000000000\.00 GB and \S+ has [\d.]+ \wB left/,
  );
});
