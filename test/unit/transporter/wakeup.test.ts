import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createWakeup } from '../../../transporter/wakeup.ts';

describe('createWakeup', () => {
  it('wakes the one who waits', async () => {
    const wakeup = createWakeup();
    const woken = wakeup.wait(new AbortController().signal);
    wakeup.notify();
    expect(await woken).toBeUndefined();
  });

  it('does not lose a call that came before the wait, and counts several as one', async () => {
    const wakeup = createWakeup();
    const { signal } = new AbortController();
    wakeup.notify();
    wakeup.notify();
    await wakeup.wait(signal);
    let isWoken = false;
    const second = wakeup.wait(signal).then(() => {
      isWoken = true;
      return undefined;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isWoken).toBe(false);
    wakeup.notify();
    await second;
    expect(isWoken).toBe(true);
  });

  it('ends with the signal, and leaves no listener on it', async () => {
    const wakeup = createWakeup();
    const stop = new AbortController();
    for (let i = 0; i < 20; i += 1) {
      const woken = wakeup.wait(stop.signal);
      wakeup.notify();
      await woken;
    }
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
    const last = wakeup.wait(stop.signal);
    stop.abort();
    await last;
    expect(await wakeup.wait(stop.signal)).toBeUndefined();
  });
});
