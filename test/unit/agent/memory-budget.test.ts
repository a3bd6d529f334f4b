import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BudgetShare, memoryBudget } from '../../../agent/memory-budget.ts';
import { seededRandom } from '../../simulation/support/random.ts';

const never = new AbortController().signal;

/** Lets promises that are ready run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Takes as long as anything is given, in pieces, as a pipeline does whose cluster never answers. */
function hoard(share: BudgetShare, pieceBytes: number): number {
  let bytes = 0;
  while (share.tryTake(pieceBytes)) bytes += pieceBytes;
  return bytes;
}

describe('a pipeline', () => {
  test('that is alone gets two thirds: its half, and a third of what is lent', () => {
    const budget = memoryBudget(1_200);
    expect(hoard(budget.share('main'), 1)).toBe(600 + 200);
    expect(budget.usedBytes).toBe(800);
  });

  test('has its part while another holds all that it can get and gives nothing back', () => {
    const budget = memoryBudget(1_200);
    const [stalled, healthy] = [budget.share('dead'), budget.share('main')];
    hoard(stalled, 1);
    expect(healthy.tryTake(healthy.ownBytes)).toBe(true);
    healthy.give(healthy.ownBytes);
    expect(healthy.tryTake(300)).toBe(true);
  });

  test('may borrow at least a sixth of what is lent, however many pipelines of another cluster stand still', () => {
    const budget = memoryBudget(120_000);
    const stalled = Array.from({ length: 99 }, () => budget.share('dead'));
    const healthy = budget.share('main');
    for (const share of stalled) hoard(share, 1);
    expect(hoard(healthy, 1)).toBeGreaterThanOrEqual(healthy.ownBytes + 10_000);
  });

  test('that holds nothing gets what it asks, however much: a long line must not wait for ever', async () => {
    const share = memoryBudget(100).share('main');
    expect(await share.take(500, never)).toBe(true);
    expect(share.tryTake(1)).toBe(false);
    share.give(500);
    expect(share.tryTake(1)).toBe(true);
  });

  test('does not wait behind another', async () => {
    const budget = memoryBudget(120);
    const [one, other] = [budget.share('main'), budget.share('main')];
    hoard(one, 1);
    const waiting = one.take(30, never);
    expect(await other.take(30, never)).toBe(true);
    one.give(30);
    expect(await waiting).toBe(true);
  });

  test('serves its own requests in the order of their coming: a small one does not overtake a large one', async () => {
    const share = memoryBudget(120).share('main');
    share.tryTake(75);
    const order: string[] = [];
    void share.take(50, never).then(() => order.push('large'));
    void share.take(5, never).then(() => order.push('small'));
    expect(share.tryTake(5)).toBe(false); // it would fit, but others were here before
    share.give(30);
    await settle();
    expect(order).toEqual([]);
    share.give(35);
    await settle();
    expect(order).toEqual(['large', 'small']);
  });

  test('that gives up leaves the line, and what is behind moves up', async () => {
    const share = memoryBudget(120).share('main');
    share.tryTake(75);
    const patience = new AbortController();
    const large = share.take(60, patience.signal);
    const small = share.take(5, never);
    patience.abort();
    expect([await large, await small]).toEqual([false, true]);
    expect(await share.take(1, patience.signal)).toBe(false);
  });

  test('that holds more than it thought, because a batch is larger than its lines, gets no more until it is back', () => {
    const share = memoryBudget(120).share('main');
    share.tryTake(60);
    share.give(-40);
    expect(share.tryTake(1)).toBe(false);
    share.give(50);
    expect(share.tryTake(1)).toBe(true);
  });

  test('that ends gives back what it holds; what is given late is not counted twice, and nobody waits for it', async () => {
    const budget = memoryBudget(120);
    const [one, other] = [budget.share('main'), budget.share('main')];
    one.tryTake(30);
    const left = hoard(other, 1);
    const [mine, yours] = [one.take(1_000, never), other.take(25, never)];
    one.close();
    one.close();
    expect([await mine, await yours]).toEqual([false, true]);
    one.give(30);
    expect(budget.usedBytes).toBe(left + 25);
    expect(one.tryTake(1)).toBe(false);
    expect(await one.take(1, never)).toBe(false);
  });
});

test('a pipeline that is added has its part at once, also while one from before holds what was its own', () => {
  const budget = memoryBudget(1_200);
  hoard(budget.share('dead'), 1);
  const added = Array.from({ length: 9 }, () => budget.share('main'));
  for (const share of added) expect(share.tryTake(share.ownBytes)).toBe(true);
  expect(budget.usedBytes).toBeLessThanOrEqual(1_200 * 1.5);
});

describe('whatever happens', () => {
  const pipelines = fc.array(fc.constantFrom('main', 'other', 'dead'), { minLength: 1, maxLength: 12 });
  const steps = fc.array(
    fc.record({ who: fc.nat(), bytes: fc.integer({ min: 1, max: 4_000 }), gives: fc.boolean() }),
    { maxLength: 200 },
  );

  test('the sum stays within the budget, and no part is ever refused', () => {
    fc.assert(
      fc.property(pipelines, steps, (clusters, history) => {
        const budget = memoryBudget(10_000);
        const held = clusters.map((cluster) => ({ share: budget.share(cluster), bytes: 0 }));
        for (const { who, bytes, gives } of history) {
          const mine = held[who % held.length]!;
          if (gives) {
            const back = Math.min(bytes, mine.bytes);
            mine.share.give(back);
            mine.bytes -= back;
            continue;
          }
          const wanted = Math.min(bytes, mine.share.ownBytes);
          const taken = mine.share.tryTake(wanted);
          if (taken) mine.bytes += wanted;
          expect(taken || mine.bytes + wanted > mine.share.ownBytes).toBe(true);
          expect(budget.usedBytes).toBeLessThanOrEqual(10_000);
          expect(budget.usedBytes).toBe(held.reduce((sum, one) => sum + one.bytes, 0));
        }
      }),
    );
  });

  test('one that gives back what it got is served to the end, beside any number that never do', async () => {
    await fc.assert(
      fc.asyncProperty(pipelines, fc.integer({ min: 1, max: 500 }), async (clusters, piece) => {
        const budget = memoryBudget(10_000);
        const stalled = clusters.map((cluster) => budget.share(cluster));
        const healthy = budget.share('main');
        for (const share of stalled) hoard(share, piece);
        for (let turn = 0; turn < 50; turn += 1) {
          const wanted = Math.min(healthy.ownBytes, 1 + ((turn * 379) % 900));
          expect(await healthy.take(wanted, never)).toBe(true);
          healthy.give(wanted);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('thousands of takers, some of whom give up: nothing is missing at the end', async () => {
    const random = seededRandom(11);
    const budget = memoryBudget(1_000);
    const shares = ['a', 'a', 'b'].map((cluster) => budget.share(cluster));
    let largest = 0;
    let granted = 0;
    const takers = Array.from({ length: 3_000 }, async (_, i) => {
      const share = shares[i % 3]!;
      const bytes = 1 + Math.floor(random() * share.ownBytes);
      const patience = new AbortController();
      if (random() < 0.2) setImmediate(() => patience.abort());
      if (!(await share.take(bytes, patience.signal))) return;
      granted += 1;
      largest = Math.max(largest, budget.usedBytes);
      await settle();
      share.give(bytes);
    });
    await Promise.all(takers);
    expect(largest).toBeLessThanOrEqual(1_000);
    expect(granted).toBeGreaterThan(2_000);
    expect(budget.usedBytes).toBe(0);
  });
});
