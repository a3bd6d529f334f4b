import { expect, test } from 'vitest';
import { budgetShare } from '../../../agent/budget-share.ts';
import { memoryBudget } from '../../../agent/memory-budget.ts';

const never = new AbortController().signal;

test('what a share still holds when it is closed goes back, and what is given late is not counted twice', async () => {
  const budget = memoryBudget(100);
  budget.tryTake(10);
  const share = budgetShare(budget);
  share.tryTake(40);
  expect(await share.take(20, never)).toBe(true);
  share.give(15);
  expect(budget.usedBytes).toBe(55);
  share.close();
  share.close();
  expect(budget.usedBytes).toBe(10);
  share.give(45);
  expect(budget.usedBytes).toBe(10);
});

test('a closed share takes nothing, also for who waited', async () => {
  const budget = memoryBudget(100);
  budget.tryTake(100);
  const share = budgetShare(budget);
  const waiting = share.take(30, never);
  share.close();
  budget.give(100);
  expect(await waiting).toBe(false);
  expect(share.tryTake(1)).toBe(false);
  expect(await share.take(1, never)).toBe(false);
  expect(budget.usedBytes).toBe(0);
});

test('two shares have one bound', () => {
  const budget = memoryBudget(100);
  const [one, other] = [budgetShare(budget), budgetShare(budget)];
  expect(one.tryTake(80)).toBe(true);
  expect(other.tryTake(30)).toBe(false);
  one.close();
  expect(other.tryTake(30)).toBe(true);
});
