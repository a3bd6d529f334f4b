import { describe, expect, test } from 'vitest';
import { DemoError } from '../../../../scripts/demo/demo-error.ts';
import { watchUntilDone } from '../../../../scripts/demo/watch.ts';

const bounds = {
  what: 'the lines arrive',
  intervalMs: 1,
  stallTimeoutMs: 50,
  evidence: () => 'the log says no',
};

describe('watching until something is done', () => {
  test('it may take long as long as there is progress', async () => {
    const startedAt = performance.now();
    let looks = 0;

    await watchUntilDone(
      async () => ({ isDone: performance.now() - startedAt > 200, progress: String(looks++) }),
      { ...bounds, signal: new AbortController().signal },
    );

    expect(performance.now() - startedAt).toBeGreaterThan(200);
  });

  test('without progress it fails, with what hangs and the evidence', async () => {
    const watch = watchUntilDone(async () => ({ isDone: false, progress: 'same' }), {
      ...bounds,
      signal: new AbortController().signal,
    });

    await expect(watch).rejects.toThrow(
      new DemoError('0.1 s without progress: the lines arrive\nthe log says no'),
    );
  });

  test('an abort ends it with its reason', async () => {
    const abort = new AbortController();
    const watch = watchUntilDone(
      async () => {
        abort.abort(new Error('Ctrl-C'));
        return { isDone: false, progress: '' };
      },
      { ...bounds, intervalMs: 60_000, signal: abort.signal },
    );

    await expect(watch).rejects.toThrow('Ctrl-C');
  });
});
