/**
 * Growth that was seen and not told. What tells is given a moment, because it may just be late; when it stays silent, the
 * directory is deaf: its writers write through a mapping, another machine, or a lower layer of an overlay.
 */
import type { Clock } from '../../shared/clock.ts';
import type { LogFile } from './log-file.ts';

export interface Unannounced {
  /** When `judge` has something to do; Infinity without a suspicion. */
  readonly nextMs: number;
  suspect(file: LogFile, path: string): void;
  judge(): void;
}

/** Far more than the kernel takes to tell of a write. */
const PATIENCE_MS = 2_000;
/** One is enough to know a directory by; the others come with the next slow look. */
const MAX_SUSPICIONS = 100;

export function createUnannounced(options: { clock: Clock; isDeaf(path: string): void }): Unannounced {
  const { clock } = options;
  let suspicions: { file: LogFile; path: string; sinceMs: number }[] = [];
  return {
    get nextMs() {
      return suspicions.length === 0 ? Infinity : suspicions[0]!.sinceMs + PATIENCE_MS;
    },
    suspect: (file, path) => {
      // What was told and is not looked into yet, because brokers hold up the reading, is no surprise.
      if (file.toldMs > file.lookedMs || suspicions.length >= MAX_SUSPICIONS) return;
      suspicions.push({ file, path, sinceMs: clock.monotonicMs() });
    },
    judge: () => {
      const untilMs = clock.monotonicMs() - PATIENCE_MS;
      const ripe = suspicions.filter(({ sinceMs }) => sinceMs <= untilMs);
      suspicions = suspicions.filter(({ sinceMs }) => sinceMs > untilMs);
      for (const { file, path, sinceMs } of ripe) {
        if (file.toldMs < sinceMs - PATIENCE_MS) options.isDeaf(path);
      }
    },
  };
}
