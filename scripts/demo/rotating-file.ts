import { closeSync, existsSync, openSync, renameSync, writeSync } from 'node:fs';

/** One write of a logger that collects lines; it ends inside a line more often than not. */
const WRITE_BYTES = 64 * 1024;
/** Far longer than a generated line. */
const LONGEST_LINE_BYTES = 4096;

export interface RotatingFile {
  /** Appends a line and its line break. Returns the bytes of the line, valid until the next call. */
  append(line: string): Uint8Array;
  close(): void;
}

/**
 * A log file as a logger with rotation writes it: after `linesPerFile` lines `app.log` becomes `app.log.1`, what was
 * `app.log.1` becomes `app.log.2`, and so on; nothing is ever deleted. What the logger had collected still goes to the
 * renamed file, as with any program that keeps its descriptor over a rename. Writes are synchronous.
 */
export function openRotatingFile(path: string, linesPerFile: number): RotatingFile {
  const buffer = Buffer.allocUnsafe(WRITE_BYTES + LONGEST_LINE_BYTES);
  let descriptor = openSync(path, 'a');
  let collected = 0;
  let lines = 0;

  const write = (bytes: number): void => {
    for (let done = 0; done < bytes;) done += writeSync(descriptor, buffer, done, bytes - done);
    buffer.copyWithin(0, bytes, collected);
    collected -= bytes;
  };
  const rotate = (): void => {
    renameOlder(path);
    renameSync(path, `${path}.1`);
    write(collected);
    closeSync(descriptor);
    descriptor = openSync(path, 'a');
    lines = 0;
  };

  return {
    append(line) {
      if (line.length >= LONGEST_LINE_BYTES) throw new Error(`a line of ${line.length} bytes is too long`);
      if (lines === linesPerFile) rotate();
      if (collected >= WRITE_BYTES) write(WRITE_BYTES);
      const start = collected;
      collected += buffer.write(line, collected, 'latin1');
      const bytes = buffer.subarray(start, collected);
      buffer[collected++] = 0x0a;
      lines += 1;
      return bytes;
    },
    close() {
      write(collected);
      closeSync(descriptor);
    },
  };
}

function renameOlder(path: string): void {
  let count = 0;
  while (existsSync(`${path}.${count + 1}`)) count += 1;
  for (let number = count; number > 0; number--) renameSync(`${path}.${number}`, `${path}.${number + 1}`);
}
