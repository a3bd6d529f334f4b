/** What became of the lines of one file. */
export interface FileVerdict {
  name: string;
  /** Lines that had to arrive. */
  expected: number;
  /** Lines that were read back, each as often as it came. */
  found: number;
  missing: number;
  /** Times that a line came once more than it should. */
  doubled: number;
  expectedChecksum: string;
  foundChecksum: string;
  /** The first few lines that are missing or doubled, in words. */
  examples: readonly string[];
  /** What else there is to say, such as a last line that is not finished. */
  remarks: readonly string[];
}

export interface Verdict {
  exactlyOnce: boolean;
  files: readonly FileVerdict[];
  /** Lines that were read back and belong to no file. */
  foreign: number;
  foreignExamples: readonly string[];
}

/** Compares what was read back with what was written. Holds no lines, so its memory does not grow with their length. */
export interface LineCheck {
  /** A line that was read back, without its line break. The bytes are not kept. */
  take(line: Uint8Array): void;
  /** After the last line. */
  finish(): Promise<Verdict>;
}

export const MAX_EXAMPLES = 5;
const SHOWN_BYTES = 100;

/** Every line of every file arrived once and unaltered, and nothing else did. */
export function isExactlyOnce(files: readonly FileVerdict[], foreign: number): boolean {
  return (
    foreign === 0 &&
    files.every(
      ({ missing, doubled, expectedChecksum, foundChecksum }) =>
        missing === 0 && doubled === 0 && expectedChecksum === foundChecksum,
    )
  );
}

/** The beginning of a line, safe to print: control characters and what is not UTF-8 are replaced. */
export function excerpt(line: Uint8Array): string {
  const text = Buffer.from(line.subarray(0, SHOWN_BYTES)).toString('utf8');
  return `${text.replaceAll(/\p{C}/gu, '\u00b7')}${line.length > SHOWN_BYTES ? ' \u2026' : ''}`;
}
