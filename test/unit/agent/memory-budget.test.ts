import { describe, expect, test } from 'vitest';
import { memoryBudget } from '../../../agent/memory-budget.ts';
import { seededRandom } from '../../simulation/support/random.ts';

const never = new AbortController().signal;

/** Lets promises that are ready run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the budget', () => {
  test('gives what is there at once, and no more', () => {
    const budget = memoryBudget(100);
    expect(budget.tryTake(60)).toBe(true);
    expect(budget.tryTake(41)).toBe(false);
    expect(budget.tryTake(40)).toBe(true);
    expect(budget.usedBytes).toBe(100);
    budget.give(100);
    expect(budget.usedBytes).toBe(0);
  });

  test('who waits is served in the order of coming: small ones do not overtake a large one', async () => {
    const budget = memoryBudget(100);
    budget.tryTake(90);
    const order: string[] = [];
    void budget.take(50, never).then(() => order.push('large'));
    void budget.take(5, never).then(() => order.push('small'));
    expect(budget.tryTake(5)).toBe(false); // it would fit, but others were here before
    await settle();
    expect(order).toEqual([]);
    budget.give(40);
    await settle();
    expect(order).toEqual(['large']);
    budget.give(50);
    await settle();
    expect(order).toEqual(['large', 'small']);
    expect(budget.usedBytes).toBe(55);
  });

  test('one give can serve several', async () => {
    const budget = memoryBudget(100);
    budget.tryTake(100);
    const waiting = Promise.all([1, 2, 3].map(() => budget.take(30, never)));
    budget.give(100);
    expect(await waiting).toEqual([true, true, true]);
    expect(budget.usedBytes).toBe(90);
  });

  test('a request above the whole budget is let through alone: a long line must not wait for ever', async () => {
    const budget = memoryBudget(100);
    budget.tryTake(10);
    let granted = false;
    void budget.take(500, never).then(() => {
      granted = true;
    });
    await settle();
    expect(granted).toBe(false);
    budget.give(10);
    await settle();
    expect(granted).toBe(true);
    expect(budget.usedBytes).toBe(500);
    expect(budget.tryTake(1)).toBe(false);
  });

  test('who gives up leaves the line, and those behind move up', async () => {
    const budget = memoryBudget(100);
    budget.tryTake(90);
    const patience = new AbortController();
    const large = budget.take(80, patience.signal);
    const small = budget.take(10, never);
    patience.abort();
    expect(await large).toBe(false);
    expect(await small).toBe(true);
    expect(budget.usedBytes).toBe(100);
  });

  test('who has given up already gets nothing, who is served in time keeps it', async () => {
    const budget = memoryBudget(100);
    const patience = new AbortController();
    const taken = budget.take(10, patience.signal);
    patience.abort();
    expect(await taken).toBe(true);
    expect(await budget.take(10, patience.signal)).toBe(false);
    expect(budget.usedBytes).toBe(10);
  });

  test('a batch that turned out larger than its lines may take more than is left, and the others wait for it', () => {
    const budget = memoryBudget(100);
    budget.tryTake(100);
    budget.give(-20);
    expect(budget.usedBytes).toBe(120);
    budget.give(25);
    expect(budget.tryTake(10)).toBe(false);
    budget.give(95);
    expect(budget.tryTake(10)).toBe(true);
  });

  test('thousands of takers, some of whom give up: never above the limit, and nothing is missing at the end', async () => {
    const random = seededRandom(11);
    const budget = memoryBudget(1_000);
    let largest = 0;
    let granted = 0;
    const takers = Array.from({ length: 3_000 }, async () => {
      const bytes = 1 + Math.floor(random() * 400);
      const patience = new AbortController();
      if (random() < 0.2) setImmediate(() => patience.abort());
      if (!(await budget.take(bytes, patience.signal))) return;
      granted += 1;
      largest = Math.max(largest, budget.usedBytes);
      await settle();
      budget.give(bytes);
    });
    await Promise.all(takers);
    expect(largest).toBeLessThanOrEqual(1_000);
    expect(granted).toBeGreaterThan(2_000);
    expect(budget.usedBytes).toBe(0);
  });
});
