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
});
