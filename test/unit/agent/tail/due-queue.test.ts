import { array, assert, integer, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { dueQueue } from '../../../../agent/tail/due-queue.ts';

test('whatever is added and taken in between, what is due comes in the order of its time, and nothing else comes', () => {
  const time = integer({ min: 0, max: 1_000 });
  const step = record({ add: array(time), nowMs: time, max: integer({ min: 0, max: 20 }) });
  assert(
    property(array(step, { maxLength: 100 }), (steps) => {
      const queue = dueQueue<{ atMs: number }>(({ atMs }) => atMs);
      let model: number[] = [];
      for (const { add, nowMs, max } of steps) {
        for (const atMs of add) queue.add({ atMs });
        model = [...model, ...add].toSorted((a, b) => a - b);
        expect([queue.size, queue.nextMs]).toEqual([model.length, model[0] ?? Infinity]);
        const expected = model.filter((atMs) => atMs <= nowMs).slice(0, max);
        expect(queue.take(nowMs, max).map(({ atMs }) => atMs)).toEqual(expected);
        model = model.slice(expected.length);
      }
    }),
  );
});
