import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../shared/errors.ts';

export interface WaitForOptions {
  timeoutMs: number;
  /** Completes "not within N ms: ", so name the condition: "all brokers in the metadata". */
  what: string;
  intervalMs?: number;
  signal?: AbortSignal;
}

/**
 * Polls until `condition` returns something other than undefined, null or false, and returns that.
 * A condition that throws counts as not yet met; the last error becomes the cause of the time-out's error.
 * A look that does not answer is abandoned at the deadline.
 */
export async function waitFor<T>(
  condition: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  { timeoutMs, what, intervalMs = 50, signal }: WaitForOptions,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    signal?.throwIfAborted();
    const remainingMs = deadline - Date.now();
    if (remainingMs <= 0) {
      const reason = lastError === undefined ? '' : ` (last: ${messageOf(lastError)})`;
      throw new Error(`not within ${timeoutMs} ms: ${what}${reason}`, { cause: lastError });
    }
    try {
      const result = await within(remainingMs, condition);
      if (result !== undefined && result !== null && result !== false) return result;
    } catch (error) {
      lastError = error;
    }
    await delay(Math.max(0, Math.min(intervalMs, deadline - Date.now())), undefined, { signal });
  }
}

async function within<T>(ms: number, look: () => T | Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  try {
    return await Promise.race([look(), delay(ms, undefined, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}
