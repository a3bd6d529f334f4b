import { expect, test } from 'vitest';
import { createFileAttention } from '../../../../agent/tail/file-attention.ts';
import { newLogFile } from '../../../../agent/tail/log-file.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { memoryFile } from '../memory-file.ts';
import { someFileState } from '../some-file-state.ts';

test.each([
  [10, 100],
  [1_000, 120],
  [5_000, 200],
])('%i files that change all the time are looked into every %i ms', async (count, gapMs) => {
  const clock = simClock(0);
  const attention = createFileAttention({ pollIntervalMs: 250, wake: () => {}, clock });
  const handle = memoryFile('line\n');
  const stat = await handle.stat();
  const files = Array.from({ length: count }, () => newLogFile(someFileState(), handle, stat, 0));
  for (let round = 0; round < 2; round += 1) {
    for (const file of files) attention.soon(file);
    expect(attention.take()).toHaveLength(count);
  }
  attention.soon(files[0]!);
  expect(attention.nextMs).toBe(clock.monotonicMs() + gapMs);
});

test('a look that is due already wakes nobody again: the loop would be busy until it comes', async () => {
  const clock = simClock(0);
  let woken = 0;
  const attention = createFileAttention({ pollIntervalMs: 50, wake: () => (woken += 1), clock });
  const handle = memoryFile('line\n');
  const file = newLogFile(someFileState(), handle, await handle.stat(), 0);
  attention.soon(file);
  attention.soon(file);
  expect(woken).toBe(1);
  expect(attention.take()).toEqual([file]);
  attention.soon(file);
  expect(woken).toBe(2);
});
