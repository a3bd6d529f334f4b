import { expect, it } from 'vitest';
import { createGrowth } from '../../../../transporter/decode/growth.ts';

it('expects much before it has seen anything, then as much as it has seen', () => {
  const growth = createGrowth();
  expect(growth.of(1000)).toBe(5000);
  growth.note(100, 200);
  expect(growth.of(1000)).toBe(1000);
});

it('expects more at once when more comes, and less only by and by', () => {
  const growth = createGrowth();
  growth.note(100, 2000);
  expect(growth.of(1000)).toBe(19_000);
  growth.note(100, 100);
  expect(growth.of(1000)).toBeGreaterThan(18_000);
  for (let jobs = 0; jobs < 200; jobs += 1) growth.note(100, 50);
  expect(growth.of(1000)).toBe(0);
});

it('learns nothing from a stretch without records', () => {
  const growth = createGrowth();
  growth.note(0, 0);
  expect(growth.of(10)).toBe(50);
});
