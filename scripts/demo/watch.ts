import { setTimeout as delay } from 'node:timers/promises';
import { formatSeconds } from './format.ts';
import { DemoError } from './demo-error.ts';

export interface WatchOptions {
  /** Completes "N s without progress: ", so name what should happen: "the lines reach Kafka". */
  what: string;
  intervalMs: number;
  /** Longest time without any progress. A run may take as long as its lines need, but it may not hang. */
  stallTimeoutMs: number;
  /** Said with the failure: where it hangs, and the right log. */
  evidence(): string;
  signal: AbortSignal;
}

/** What a look saw: whether it is over, and a value that changes as long as there is progress. */
export interface Look {
  isDone: boolean;
  progress: string;
}

/** Looks again and again until it is done. @throws DemoError when nothing changed for too long */
export async function watchUntilDone(look: () => Promise<Look>, options: WatchOptions): Promise<void> {
  let progress = '';
  let changedAt = performance.now();
  for (;;) {
    options.signal.throwIfAborted();
    const seen = await look();
    if (seen.isDone) return;
    if (seen.progress !== progress) {
      progress = seen.progress;
      changedAt = performance.now();
    } else if (performance.now() - changedAt > options.stallTimeoutMs) {
      const waited = formatSeconds(options.stallTimeoutMs);
      throw new DemoError(`${waited} without progress: ${options.what}\n${options.evidence()}`);
    }
    await delay(options.intervalMs, undefined, { signal: options.signal }).catch(() => {});
  }
}
