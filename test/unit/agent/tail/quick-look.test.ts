import { expect, test } from 'vitest';
import type { Growth } from '../../../../agent/discover/file-system.ts';
import { FINGERPRINT_BYTES } from '../../../../agent/discover/fingerprint.ts';
import { type LogFile, newLogFile } from '../../../../agent/tail/log-file.ts';
import { quickLook } from '../../../../agent/tail/quick-look.ts';
import { memoryFile } from '../memory-file.ts';
import { someFileState } from '../some-file-state.ts';

const SIZE = 5_000;

/** A file of which everything was read that the last look, a moment ago, has shown. */
async function followed(growth: Growth | undefined, change: Partial<LogFile> = {}): Promise<LogFile> {
  const handle = { ...memoryFile(Buffer.alloc(SIZE)), growthNow: () => growth };
  const state = { ...someFileState(), fingerprint: { bytes: FINGERPRINT_BYTES, hash: 'x' }, offset: SIZE };
  const file = newLogFile(state, handle, await handle.stat(), 0);
  const mark = { at: SIZE, bytes: 100, crc32c: 1 };
  return Object.assign(file, { unproven: false, mark, modifiedMs: 10, thoroughMs: 100, ...change });
}

test('a file that has grown: its size is known', async () => {
  const file = await followed({ sizeBytes: SIZE + 70, modifiedMs: 20 });
  expect(quickLook(file, 500)).toBe(true);
  expect(file).toMatchObject({ sizeBytes: SIZE + 70, modifiedMs: 20, grewMs: 500, lookedMs: 500 });
});

test('a file that is as it was: that is all there is to know', async () => {
  const file = await followed({ sizeBytes: SIZE, modifiedMs: 10 });
  expect(quickLook(file, 500)).toBe(true);
  expect(file).toMatchObject({ sizeBytes: SIZE, grewMs: 0, lookedMs: 500 });
});

test.each([
  ['it is shorter', { sizeBytes: SIZE - 1, modifiedMs: 20 }, {}],
  ['it was written to and is as long', { sizeBytes: SIZE, modifiedMs: 20 }, {}],
  ['somebody would have to wait for the answer', undefined, {}],
  ['the last thorough look was a second ago', { sizeBytes: SIZE + 1, modifiedMs: 20 }, { thoroughMs: -500 }],
  ['it is in use', { sizeBytes: SIZE + 1, modifiedMs: 20 }, { uses: 1 }],
  ['a read found other content', { sizeBytes: SIZE + 1, modifiedMs: 20 }, { changed: true }],
  ['a read failed', { sizeBytes: SIZE + 1, modifiedMs: 20 }, { waits: true }],
  ['growth was seen and not read', { sizeBytes: SIZE + 1, modifiedMs: 20 }, { certainBytes: SIZE - 1 }],
  ['nothing of it was read', { sizeBytes: SIZE + 1, modifiedMs: 20 }, { mark: undefined }],
  ['it may be a copy', { sizeBytes: SIZE + 1, modifiedMs: 20 }, { unproven: 'new' as const }],
  ['it left the globs', { sizeBytes: SIZE + 1, modifiedMs: 20 }, { detached: true }],
])('%s: for a thorough look', async (_, growth, change) => {
  const file = await followed(growth, change);
  const before = { ...file };
  expect(quickLook(file, 500)).toBe(false);
  expect(file).toEqual(before);
});
