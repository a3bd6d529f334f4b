import { expect, it } from 'vitest';
import { garbageCollector } from '../../shared/collect-garbage.ts';

it('frees buffers that nobody uses any more, at once', () => {
  const collectGarbage = garbageCollector();
  const before = process.memoryUsage().arrayBuffers;
  (() => new Uint8Array(32 * 1024 ** 2).fill(1))();
  collectGarbage();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 ** 2);
});
