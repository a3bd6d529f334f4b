import { expect, test } from 'vitest';
import { createAttention } from '../../../agent/attention.ts';
import { simClock } from '../../simulation/support/sim-clock.ts';

function waiting(attention: ReturnType<typeof createAttention>, ms: number): { over: boolean } {
  const state = { over: false };
  void attention.wait(ms).then(() => {
    state.over = true;
  });
  return state;
}

test('a wait ends when somebody calls, at once when somebody has called since the last one, or when its time is over', async () => {
  const clock = simClock(0);
  const attention = createAttention(clock);
  const called = waiting(attention, Infinity);
  await clock.advance(1_000);
  expect(called.over).toBe(false);
  attention.wake();
  await clock.advance(0);
  expect(called.over).toBe(true);

  attention.wake();
  attention.wake();
  const before = waiting(attention, Infinity);
  await clock.advance(0);
  expect(before.over).toBe(true);

  const timed = waiting(attention, 500);
  await clock.advance(499);
  expect(timed.over).toBe(false);
  await clock.advance(1);
  expect(timed.over).toBe(true);
});

test('a wait for nothing takes a moment, so that a loop that has nothing to do never spins', async () => {
  const clock = simClock(0);
  const wait = waiting(createAttention(clock), 0);
  await clock.advance(0);
  expect(wait.over).toBe(false);
  await clock.advance(1);
  expect(wait.over).toBe(true);
});
