import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sharedBuffers } from '../../shared/shared-buffers.ts';

const MIB = 1024 ** 2;

describe('sharedBuffers', () => {
  it('gives the same memory again, to one at a time', () => {
    const buffers = sharedBuffers(8 * MIB);
    const first = buffers.take(MIB);
    expect([first.length, first.byteOffset, first.buffer.byteLength]).toEqual([MIB, 0, MIB]);
    buffers.giveBack(first);
    const again = buffers.take(MIB - 100);
    expect(again.buffer).toBe(first.buffer);
    expect(again.length).toBe(MIB - 100);
    expect(buffers.take(MIB).buffer).not.toBe(first.buffer);
  });

  it('takes for a read what fits it', () => {
    const buffers = sharedBuffers(8 * MIB);
    const [small, large] = [buffers.take(MIB), buffers.take(3 * MIB)];
    expect([buffers.sizeFor(MIB), buffers.sizeFor(3 * MIB)]).toEqual([MIB, 4 * MIB]);
    for (const bytes of [small, large]) buffers.giveBack(bytes);
    expect(buffers.take(MIB + 1).buffer).not.toBe(large.buffer);
    expect(buffers.take(2 * MIB + 1).buffer).toBe(large.buffer);
    expect(buffers.take(MIB).buffer).toBe(small.buffer);
  });

  it('keeps no more than it is told', () => {
    const buffers = sharedBuffers(2 * MIB);
    const all = [1, 2, 3].map(() => buffers.take(MIB));
    for (const bytes of all) buffers.giveBack(bytes);
    const again = [1, 2, 3].map(() => buffers.take(MIB).buffer);
    expect(again.map((buffer) => all.findIndex((bytes) => bytes.buffer === buffer))).toEqual([1, 2, -1]);
  });

  it('takes back once, and only its own', () => {
    const buffers = sharedBuffers(8 * MIB);
    const bytes = buffers.take(MIB);
    for (let times = 0; times < 2; times += 1) buffers.giveBack(bytes);
    buffers.giveBack(Buffer.alloc(MIB));
    expect(buffers.take(MIB).buffer).toBe(bytes.buffer);
    expect(buffers.take(MIB).buffer).not.toBe(bytes.buffer);
  });

  it('puts what is short side by side, on words, and uses the memory again when nobody has any of it', () => {
    const buffers = sharedBuffers(8 * MIB, 1024);
    const [first, second] = [buffers.take(13), buffers.take(100)];
    expect(second.buffer).toBe(first.buffer);
    expect([first.byteOffset, first.length, second.byteOffset, second.length]).toEqual([0, 13, 16, 100]);
    expect(buffers.sizeFor(100)).toBe(100);
    buffers.giveBack(first);
    const third = buffers.take(10);
    expect(third.byteOffset).toBe(120);
    for (const bytes of [second, third.subarray(0, 4)]) buffers.giveBack(bytes);
    const again = buffers.take(10);
    expect([again.buffer === first.buffer, again.byteOffset]).toEqual([true, 0]);
  });

  it('has other memory for what is short when one is full, and takes it back when all of it is back', () => {
    const buffers = sharedBuffers(8 * MIB, 1024);
    const all = Array.from({ length: 12 }, () => buffers.take(100));
    const memories = [...new Set(all.map(({ buffer }) => buffer))];
    expect(all.map(({ buffer }) => memories.indexOf(buffer))).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    for (const bytes of all.slice(0, 9)) buffers.giveBack(bytes);
    const large = buffers.take(1000);
    expect(large.buffer).toBe(memories[0]);
    for (let times = 0; times < 2; times += 1) buffers.giveBack(large);
    expect(buffers.take(1000).buffer).toBe(memories[0]);
    expect(buffers.take(1000).buffer).not.toBe(memories[0]);
  });

  it('no two that are taken overlap, whatever is taken and given back in whatever order', () => {
    const step = fc.record({ bytes: fc.integer({ min: 0, max: 300 }), giveBack: fc.option(fc.nat()) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const buffers = sharedBuffers(2048, 1024);
        const taken: { bytes: Buffer; mark: number }[] = [];
        for (const [mark, { bytes, giveBack }] of steps.entries()) {
          taken.push({ bytes: buffers.take(bytes).fill(mark), mark });
          const [back] = giveBack === null ? [] : taken.splice(giveBack % taken.length, 1);
          if (back !== undefined) buffers.giveBack(back.bytes);
        }
        for (const one of taken) expect(one.bytes.every((byte) => byte === one.mark)).toBe(true);
      }),
    );
  });
});
