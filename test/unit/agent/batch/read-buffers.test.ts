import { describe, expect, it } from 'vitest';
import { readBuffers } from '../../../../agent/batch/read-buffers.ts';

const MIB = 1024 ** 2;

describe('readBuffers', () => {
  it('gives the same memory again, to one at a time', () => {
    const buffers = readBuffers(8 * MIB);
    const first = buffers.take(MIB);
    expect([first.length, first.byteOffset, first.buffer.byteLength]).toEqual([MIB, 0, MIB]);
    buffers.giveBack(first);
    const again = buffers.take(MIB - 100);
    expect(again.buffer).toBe(first.buffer);
    expect(again.length).toBe(MIB - 100);
    expect(buffers.take(MIB).buffer).not.toBe(first.buffer);
  });

  it('takes for a read what fits it', () => {
    const buffers = readBuffers(8 * MIB);
    const [small, large] = [buffers.take(MIB), buffers.take(3 * MIB)];
    expect([buffers.sizeFor(MIB), buffers.sizeFor(3 * MIB)]).toEqual([MIB, 4 * MIB]);
    for (const bytes of [small, large]) buffers.giveBack(bytes);
    expect(buffers.take(MIB + 1).buffer).not.toBe(large.buffer);
    expect(buffers.take(2 * MIB + 1).buffer).toBe(large.buffer);
    expect(buffers.take(MIB).buffer).toBe(small.buffer);
  });

  it('keeps no more than it is told', () => {
    const buffers = readBuffers(2 * MIB);
    const all = [1, 2, 3].map(() => buffers.take(MIB));
    for (const bytes of all) buffers.giveBack(bytes);
    const again = [1, 2, 3].map(() => buffers.take(MIB).buffer);
    expect(again.map((buffer) => all.findIndex((bytes) => bytes.buffer === buffer))).toEqual([1, 2, -1]);
  });

  it('takes back once, and only its own', () => {
    const buffers = readBuffers(8 * MIB);
    const bytes = buffers.take(MIB);
    for (let times = 0; times < 2; times += 1) buffers.giveBack(bytes);
    buffers.giveBack(Buffer.alloc(MIB));
    expect(buffers.take(MIB).buffer).toBe(bytes.buffer);
    expect(buffers.take(MIB).buffer).not.toBe(bytes.buffer);
  });

  it('leaves few bytes alone: they have memory of their own, which can be given away', () => {
    const buffers = readBuffers(8 * MIB);
    const bytes = buffers.take(4096);
    expect([buffers.sizeFor(4096), bytes.buffer.byteLength]).toEqual([4096, 4096]);
    expect(bytes.buffer).toBeInstanceOf(ArrayBuffer);
  });
});
