import { describe, expect, it } from 'vitest';
import { createReplayQueue } from '../../../../transporter/chunk/replay-queue.ts';

/** Enters and records when it got in. */
function entrant(
  queue: ReturnType<typeof createReplayQueue>,
  bytes: number,
  signal = new AbortController().signal,
) {
  const state = { isIn: false, leave: (): void => {}, error: undefined as unknown };
  const entered = queue.enter(bytes, signal).then(
    (leave) => {
      state.isIn = true;
      state.leave = leave;
      return undefined;
    },
    (error: unknown) => {
      state.error = error;
    },
  );
  return { state, entered };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('createReplayQueue', () => {
  it('lets in what fits, and the next in line when somebody leaves', async () => {
    const queue = createReplayQueue(100);
    const [a, b, c] = [entrant(queue, 60), entrant(queue, 50), entrant(queue, 40)];
    await turn();
    expect([a, b, c].map(({ state }) => state.isIn)).toEqual([true, false, false]);
    a.state.leave();
    await turn();
    expect([b, c].map(({ state }) => state.isIn)).toEqual([true, true]);
  });

  it('lets in one that is larger than everything, but alone', async () => {
    const queue = createReplayQueue(100);
    const [giant, small] = [entrant(queue, 500), entrant(queue, 1)];
    await turn();
    expect([giant.state.isIn, small.state.isIn]).toEqual([true, false]);
    giant.state.leave();
    giant.state.leave();
    await turn();
    expect(small.state.isIn).toBe(true);
    const next = entrant(queue, 99);
    await turn();
    expect(next.state.isIn).toBe(true);
  });

  it('lets those behind pass when a large one gives up waiting', async () => {
    const queue = createReplayQueue(100);
    const patience = new AbortController();
    const first = entrant(queue, 60);
    const large = entrant(queue, 90, patience.signal);
    const small = entrant(queue, 10);
    await turn();
    expect([first, large, small].map(({ state }) => state.isIn)).toEqual([true, false, false]);
    patience.abort(new Error('gone'));
    await turn();
    expect(large.state.error).toEqual(new Error('gone'));
    expect(small.state.isIn).toBe(true);
  });
});
