import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMemoryBudget } from '../../../transporter/memory-budget.ts';
import { chooseForPressure } from '../../../transporter/memory-pressure.ts';

describe('createMemoryBudget', () => {
  it('adds up what its accounts hold, and calls when something is given back', () => {
    let freed = 0;
    const budget = createMemoryBudget(100, () => {
      freed += 1;
    });
    const [a, b] = [budget.open(), budget.open()];
    a.add(30);
    b.add(50);
    expect([budget.usedBytes, budget.freeBytes, freed]).toEqual([80, 20, 0]);
    b.add(-10);
    expect([budget.usedBytes, b.usedBytes, freed]).toEqual([70, 40, 1]);
    b.add(90);
    expect([budget.usedBytes, budget.freeBytes]).toEqual([160, 0]);
    b.close();
    expect([budget.usedBytes, freed]).toEqual([30, 2]);
  });

  it('takes nothing more for an account that is closed: its owner has left', () => {
    const budget = createMemoryBudget(100);
    const account = budget.open();
    account.add(10);
    account.close();
    account.close();
    account.add(5);
    account.add(-5);
    expect(budget.usedBytes).toBe(0);
  });

  it('takes more back than was taken for a bug', () => {
    const account = createMemoryBudget(100).open();
    account.add(5);
    expect(() => account.add(-6)).toThrow(RangeError);
  });
});

describe('chooseForPressure', () => {
  const holder = (cuttableBytes: number, leavingBytes = 0) => ({ cuttableBytes, leavingBytes });

  it('leaves all chunks alone while there is room', () => {
    expect(chooseForPressure([holder(74)], { usedBytes: 74, limitBytes: 100 })).toEqual([]);
  });

  it('cuts the largest until half of the budget is on its way out', () => {
    const holders = [holder(5), holder(30), holder(10), holder(35)];
    expect(chooseForPressure(holders, { usedBytes: 80, limitBytes: 100 })).toEqual([holder(35)]);
    expect(chooseForPressure(holders, { usedBytes: 100, limitBytes: 100 })).toEqual([holder(35), holder(30)]);
  });

  it('counts what is leaving already, and does not cut more for it', () => {
    const holders = [holder(0, 40), holder(20), holder(20)];
    expect(chooseForPressure(holders, { usedBytes: 80, limitBytes: 100 })).toEqual([]);
  });

  it('cannot cut what is not in a chunk', () => {
    expect(chooseForPressure([holder(0), holder(0)], { usedBytes: 100, limitBytes: 100 })).toEqual([]);
  });

  it('gains the most with the fewest cuts, the smallest gain last, and no cut more than is needed', () => {
    const sizes = fc.integer({ min: 0, max: 1000 });
    const holders = fc.array(fc.record({ cuttableBytes: sizes, leavingBytes: sizes }), { maxLength: 50 });
    fc.assert(
      fc.property(holders, fc.integer({ min: 1, max: 20_000 }), (all, limitBytes) => {
        const sum = (key: 'cuttableBytes' | 'leavingBytes', of = all): number =>
          of.reduce((total, one) => total + one[key], 0);
        const usedBytes = sum('cuttableBytes') + sum('leavingBytes');
        fc.pre(usedBytes >= 0.75 * limitBytes);
        const chosen = chooseForPressure(all, { usedBytes, limitBytes });
        const gains = chosen.map(({ cuttableBytes }) => cuttableBytes);
        expect(gains).toEqual(gains.toSorted((a, b) => b - a));
        const left = all.filter((one) => !chosen.includes(one));
        const smallest = gains.at(-1) ?? Infinity;
        for (const { cuttableBytes } of left) expect(cuttableBytes).toBeLessThanOrEqual(smallest);
        const staying = usedBytes - sum('leavingBytes');
        const isEnough = staying - sum('cuttableBytes', chosen) <= limitBytes / 2;
        expect(isEnough || sum('cuttableBytes', left) === 0).toBe(true);
        const before = staying - sum('cuttableBytes', chosen.slice(0, -1));
        expect(chosen.length === 0 || before > limitBytes / 2).toBe(true);
      }),
    );
  });
});
