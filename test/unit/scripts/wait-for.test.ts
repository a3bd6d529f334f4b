import { describe, expect, test } from 'vitest';
import { waitFor } from '../../../scripts/stack/wait-for.ts';

describe('waitFor', () => {
  test('looks until the condition gives something, and returns it', async () => {
    const looks = [undefined, null, false, 'here'];

    const result = await waitFor(() => looks.shift(), { timeoutMs: 5000, what: 'a result', intervalMs: 1 });

    expect(result).toBe('here');
    expect(looks).toEqual([]);
  });

  test('zero and the empty string are results', async () => {
    expect(await waitFor(() => 0, { timeoutMs: 1000, what: 'zero' })).toBe(0);
    expect(await waitFor(() => '', { timeoutMs: 1000, what: 'nothing' })).toBe('');
  });

  test('a look that throws is a look in vain, and the last error is told at the end', async () => {
    const waiting = waitFor(
      () => {
        throw new Error('refused');
      },
      { timeoutMs: 30, what: 'an answer', intervalMs: 1 },
    );

    await expect(waiting).rejects.toThrow('not within 30 ms: an answer (last: refused)');
    await expect(waiting).rejects.toMatchObject({ cause: { message: 'refused' } });
  });

  test('a look that never answers does not outlast the time', async () => {
    const never = new Promise<boolean>(() => {});

    await expect(waitFor(() => never, { timeoutMs: 30, what: 'an answer' })).rejects.toThrow(
      'not within 30 ms',
    );
  });

  test('an abort ends the wait with its reason', async () => {
    const controller = new AbortController();
    const waiting = waitFor(() => false, { timeoutMs: 60_000, what: 'nothing', signal: controller.signal });

    controller.abort();

    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});
