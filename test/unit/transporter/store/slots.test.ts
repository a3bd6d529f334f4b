import { describe, expect, it } from 'vitest';
import { createSlots } from '../../../../transporter/store/slots.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('createSlots', () => {
  it('runs as many at once as there are slots, the others in their order', async () => {
    const slots = createSlots(2);
    const started: number[] = [];
    const finish: (() => void)[] = [];
    const all = [0, 1, 2, 3].map((i) =>
      slots.run(undefined, () => {
        started.push(i);
        return new Promise<void>((resolve) => finish.push(resolve));
      }),
    );
    await turn();
    expect(started).toEqual([0, 1]);
    finish[1]!();
    await turn();
    expect(started).toEqual([0, 1, 2]);
    finish[0]!();
    finish[2]!();
    await turn();
    finish[3]!();
    await Promise.all(all);
    expect(started).toEqual([0, 1, 2, 3]);
  });

  it('gives the slot on after a failure, and to nobody who gave up waiting', async () => {
    const slots = createSlots(1);
    const patience = new AbortController();
    let fail = (): void => {};
    const first = slots.run(
      undefined,
      () =>
        new Promise((_, reject) => {
          fail = () => reject(new Error('failed'));
        }),
    );
    const second = slots.run(patience.signal, () => Promise.resolve('second'));
    const third = slots.run(undefined, () => Promise.resolve('third'));
    patience.abort(new Error('gave up'));
    await turn();
    fail();
    await expect(first).rejects.toThrow('failed');
    await expect(second).rejects.toThrow('gave up');
    expect(await third).toBe('third');
  });

  it('are halved once for a burst of refusals, down to one, and come back one by one for rounds of successes', async () => {
    let nowMs = 0;
    const slots = createSlots(8, () => nowMs);
    slots.halve();
    slots.halve();
    expect(slots.allowed).toBe(4);
    for (let i = 0; i < 5; i += 1) {
      nowMs += 1_000;
      slots.halve();
    }
    expect(slots.allowed).toBe(1);
    const succeed = (): Promise<void> => slots.run(undefined, () => Promise.resolve());
    await succeed();
    expect(slots.allowed).toBe(2);
    for (let i = 0; i < 2; i += 1) await succeed();
    expect(slots.allowed).toBe(2); // 2.5 and 2.9: a little less than one for a round, as with TCP
    await succeed();
    expect(slots.allowed).toBe(3);
    for (let i = 0; i < 100; i += 1) await succeed();
    expect(slots.allowed).toBe(8);
  });

  it('start nothing more until no more than those allowed run', async () => {
    const slots = createSlots(4);
    const finish: (() => void)[] = [];
    const begin = (): Promise<void> =>
      slots.run(undefined, () => new Promise<void>((resolve) => finish.push(resolve)));
    const all = Array.from({ length: 6 }, begin);
    await turn();
    expect(finish).toHaveLength(4);
    slots.halve();
    finish[0]!();
    finish[1]!();
    await turn();
    expect(finish).toHaveLength(4);
    finish[2]!(); // a round and a half has succeeded: three are allowed, and one still runs
    await turn();
    expect(finish).toHaveLength(6);
    for (const end of finish) end();
    await Promise.all(all);
  });
});
