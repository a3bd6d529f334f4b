/** A log file of numbered lines, and what rotation does to it, by plain synchronous calls: the test knows every line. */
import { closeSync, copyFileSync, ftruncateSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

export interface NumberedLog {
  /** Lines so far: `<file> 1` to `<file> <written>`, where the file's number grows with each rotation. */
  readonly written: number;
  write(lines: number): void;
  /** As logrotate does it by default, and the writer that is told to open its file again. */
  rename(to: string): void;
  /** As logrotate's `copytruncate`: nothing is written between the two. */
  copyTruncate(to: string): void;
  /**
   * The same while the writer goes on, which loses what it writes between the two to whoever has not read it by then.
   * Returns the first and the last line of that; `first` is above `last` when there is none.
   */
  copyTruncateUnderLoad(to: string): Promise<{ first: number; last: number }>;
  close(): void;
}

const PADDING = 'GET /api/v1/orders?page=17 HTTP/1.1 200 5316 "-" "curl/8.5.0" rt=0.017 up=0.016 '.repeat(2);

/** From the end of the copy to the truncation: long enough that something is written in between. */
const TRUNCATE_AFTER_MS = 20;

/** Opens `path` for appending. Lines are of 20 to 140 bytes. */
export function numberedLog(path: string): NumberedLog {
  let descriptor = openSync(path, 'a');
  let written = 0;
  let file = 0;
  let sizeBytes = 0;
  /** Where in the file each piece ends that was written at once, and its last line. */
  let pieces: { end: number; last: number }[] = [];
  const nextFile = (): void => {
    file += 1;
    sizeBytes = 0;
    pieces = [];
  };
  return {
    get written() {
      return written;
    },
    write: (lines) => {
      let text = '';
      for (const end = written + lines; written < end;) {
        written += 1;
        text += `${file} ${written} ${PADDING.slice(written % 41, 41 + (written % 97))}\n`;
      }
      const bytes = Buffer.from(text, 'latin1');
      for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
      sizeBytes += bytes.length;
      pieces.push({ end: sizeBytes, last: written });
    },
    rename: (to) => {
      renameSync(path, to);
      closeSync(descriptor);
      descriptor = openSync(path, 'a');
      nextFile();
    },
    copyTruncate: (to) => {
      copyFileSync(path, to);
      ftruncateSync(descriptor, 0);
      nextFile();
    },
    copyTruncateUnderLoad: async (to) => {
      await copyFile(path, to);
      const copiedBytes = statSync(to).size;
      await delay(TRUNCATE_AFTER_MS);
      const before = pieces.findLast(({ end }) => end <= copiedBytes);
      ftruncateSync(descriptor, 0);
      nextFile();
      return { first: (before?.last ?? 0) + 1, last: written };
    },
    close: () => closeSync(descriptor),
  };
}

const STEP_MS = 5;

/** Writes `lines` lines evenly over `overMs`, in small pieces; `each` is called after every piece with the time since the start. */
export async function writeSteadily(
  log: NumberedLog,
  { lines, overMs }: { lines: number; overMs: number },
  each: (passedMs: number) => void = () => {},
): Promise<void> {
  const first = log.written;
  const startMs = performance.now();
  for (let left = lines; left > 0; left = first + lines - log.written) {
    const passedMs = performance.now() - startMs;
    log.write(Math.min(left, Math.ceil((lines * passedMs) / overMs) - (log.written - first)));
    each(passedMs);
    await delay(STEP_MS);
  }
}

/** Writes about `linesPerSecond` until `stop`, which says how many lines there are, or until the end of the test. */
export function keepWriting(log: NumberedLog, linesPerSecond: number): { stop(): Promise<number> } {
  let stopped = false;
  const run = async (): Promise<void> => {
    const first = log.written;
    for (const startMs = performance.now(); !stopped; await delay(STEP_MS)) {
      const due = Math.ceil((linesPerSecond * (performance.now() - startMs)) / 1_000);
      log.write(due - (log.written - first));
    }
  };
  const running = run();
  const stop = async (): Promise<number> => {
    stopped = true;
    await running;
    return log.written;
  };
  onTestFinished(async () => void (await stop()));
  return { stop };
}
