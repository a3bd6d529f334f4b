import type { WrittenFile } from './generate.ts';
import { createLineChecksum, digestOf } from './line-checksum.ts';
import type { LineChecksum } from './line-checksum.ts';
import { excerpt, isExactlyOnce, MAX_EXAMPLES } from './line-check.ts';
import type { FileVerdict, LineCheck } from './line-check.ts';
import { markOf } from './log-line.ts';

interface FileTally {
  written: WrittenFile;
  /** One bit for each line. */
  seen: Uint8Array;
  found: number;
  doubled: number;
  doubledExamples: string[];
  checksum: LineChecksum;
}

/**
 * Checks lines of the generator. Their marks say which line of which file each is: a bit for each line finds what is
 * missing or came twice, and the checksum, compared with the generator's own, finds what was altered. Takes one bit of
 * memory for each line.
 */
export function createGeneratedCheck(files: readonly WrittenFile[]): LineCheck {
  const tallies = new Map(files.map((file) => [file.name, tallyOf(file)]));
  let foreign = 0;
  const foreignExamples: string[] = [];

  return {
    take(line) {
      const mark = markOf(line);
      const tally = mark === undefined ? undefined : tallies.get(mark.file);
      if (mark === undefined || tally === undefined || mark.line > tally.written.lines) {
        foreign += 1;
        if (foreignExamples.length < MAX_EXAMPLES) foreignExamples.push(excerpt(line));
      } else count(tally, mark.line, line);
    },
    finish: async () => {
      const verdicts = [...tallies.values()].map(verdictOf);
      const exactlyOnce = isExactlyOnce(verdicts, foreign);
      return { exactlyOnce, files: verdicts, foreign, foreignExamples };
    },
  };
}

function tallyOf(written: WrittenFile): FileTally {
  const seen = new Uint8Array(Math.ceil((written.lines + 1) / 8));
  return { written, seen, found: 0, doubled: 0, doubledExamples: [], checksum: createLineChecksum() };
}

function count(tally: FileTally, line: number, bytes: Uint8Array): void {
  tally.found += 1;
  tally.checksum.add(digestOf(bytes));
  if (isSeen(tally, line)) {
    tally.doubled += 1;
    if (tally.doubledExamples.length < MAX_EXAMPLES) tally.doubledExamples.push(`line ${line} came again`);
  } else tally.seen[line >>> 3]! |= 1 << (line & 7);
}

function isSeen({ seen }: FileTally, line: number): boolean {
  return (seen[line >>> 3]! & (1 << (line & 7))) !== 0;
}

function verdictOf(tally: FileTally): FileVerdict {
  const { written, found, doubled, doubledExamples, checksum } = tally;
  const missing = written.lines - (found - doubled);
  const verdict = {
    name: written.name,
    expected: written.lines,
    found,
    missing,
    doubled,
    expectedChecksum: written.checksum,
    foundChecksum: checksum.hex(),
    examples: [...missingExamples(tally, missing), ...doubledExamples],
    remarks: [],
  };
  const isAltered = missing + doubled === 0 && verdict.expectedChecksum !== verdict.foundChecksum;
  return isAltered
    ? { ...verdict, remarks: ['every line is there once, but the bytes of at least one were altered'] }
    : verdict;
}

function missingExamples(tally: FileTally, missing: number): string[] {
  const examples: string[] = [];
  const wanted = Math.min(missing, MAX_EXAMPLES);
  for (let line = 1; examples.length < wanted; line++) {
    if (!isSeen(tally, line)) examples.push(`line ${line} is missing`);
  }
  return examples;
}
