import { compress } from '@mongodb-js/zstd/bindings.js';
import { compressSync } from 'lz4-napi';
import { describe, expect, it } from 'vitest';
import { freeBytes } from '../../shared/free-bytes.ts';

const MIB = 1024 ** 2;
/** Made once: it would be garbage of its own. */
const NOISE = Buffer.from(noise(8 * MIB));

describe('freeBytes', () => {
  it.each([
    ['of V8', () => Promise.resolve(Buffer.alloc(8 * MIB, 'some text'))],
    ['of the zstd binding', () => compress(NOISE, 1)],
    ['of the lz4 binding', () => Promise.resolve(compressSync(NOISE))],
  ])(
    'gives the memory back without a collection: %s',
    async (_whose, make) => {
      const before = process.memoryUsage().external;
      for (let round = 0; round < 50; round += 1) {
        const bytes = await make();
        expect(bytes.length).toBeGreaterThan(6 * MIB);
        freeBytes(bytes);
        expect(bytes.length).toBe(0);
      }
      expect(process.memoryUsage().external - before).toBeLessThan(40 * MIB);
    },
    60_000,
  );

  it('leaves alone what is a part of a larger buffer', () => {
    const all = new Uint8Array([1, 2, 3, 4]);
    freeBytes(all.subarray(0, 3));
    expect(all).toEqual(new Uint8Array([1, 2, 3, 4]));
  });

  it('leaves shared memory alone', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(7);
    freeBytes(shared);
    expect([...shared]).toEqual([7, 7, 7, 7]);
  });

  it('takes what is free already, and nothing', () => {
    const bytes = new Uint8Array(4);
    freeBytes(bytes);
    freeBytes(bytes);
    freeBytes(new Uint8Array(0));
    expect(bytes.length).toBe(0);
  });
});

function noise(bytes: number): Uint8Array {
  const words = new Uint32Array(bytes / 4);
  let state = 1;
  for (let i = 0; i < words.length; i += 1) words[i] = state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return new Uint8Array(words.buffer);
}
