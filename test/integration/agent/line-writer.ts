import { appendFile, rename } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** Written at once. */
export const LINES_A_STEP = 50;
const STEP_MS = 5;

export interface LineWriter {
  /** Lines so far: `line 1` to `line <written>`. */
  readonly written: number;
  /** Goes on in a new file under the old name, as logrotate makes it. */
  rotate(to: string): Promise<void>;
  /** Ends, and says how many lines there are. */
  stop(): Promise<number>;
}

/** An application that logs numbered lines all the time, until the end of the test at the latest. */
export function lineWriter(log: string, padding = ''): LineWriter {
  let written = 0;
  let stopped = false;
  let rotateTo: string | undefined;
  const run = async (): Promise<void> => {
    while (!stopped) {
      const next = (): string => `line ${(written += 1)} ${padding}\n`;
      await appendFile(log, Array.from({ length: LINES_A_STEP }, next).join(''));
      if (rotateTo !== undefined) await rename(log, rotateTo);
      rotateTo = undefined;
      await delay(STEP_MS);
    }
  };
  const running = run();
  onTestFinished(async () => {
    stopped = true;
    await running;
  });
  return {
    get written() {
      return written;
    },
    rotate: async (to) => {
      rotateTo = to;
      while (rotateTo !== undefined) await delay(STEP_MS);
    },
    stop: async () => {
      stopped = true;
      await running;
      return written;
    },
  };
}

/** What is wrong with the numbered lines that came: none may be missing, none may come twice. */
export function judgeLines(values: Buffer, written: number): { missing: number[]; doubled: number[] } {
  const counts = new Map<number, number>();
  for (const line of values.toString('latin1').trimEnd().split('\n')) {
    const n = Number(line.split(' ')[1]);
    counts.set(n, (counts.get(n) ?? 0) + 1);
  }
  const expected = Array.from({ length: written }, (_, i) => i + 1);
  return {
    missing: expected.filter((n) => !counts.has(n)),
    doubled: [...counts].filter(([, count]) => count > 1).map(([n]) => n),
  };
}
