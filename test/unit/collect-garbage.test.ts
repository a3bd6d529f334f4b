import { expect, it } from 'vitest';
import { garbageCollector } from '../../shared/collect-garbage.ts';

const collect = garbageCollector();

it('frees buffers that nobody uses any more', () => {
  const before = process.memoryUsage().arrayBuffers;
  (() => new Uint8Array(8 * 1024 ** 2).fill(1))();
  collect();
  expect(eventuallyBelow(before + 4 * 1024 ** 2)).toBe(true);
});

/**
 * V8 gives the memory of dead buffers back from a thread of its own, a moment after the collection. The look does not
 * let the event loop go on: a collection that anything else causes would hide that ours did nothing.
 */
function eventuallyBelow(bytes: number): boolean {
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  for (let looks = 0; looks < 500; looks++) {
    if (process.memoryUsage().arrayBuffers < bytes) return true;
    Atomics.wait(nothing, 0, 0, 4);
  }
  return false;
}
