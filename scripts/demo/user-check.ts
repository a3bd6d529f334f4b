import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { UsageError } from './demo-error.ts';
import { createLineChecksum, digestOf } from './line-checksum.ts';
import type { LineChecksum } from './line-checksum.ts';
import { excerpt, isExactlyOnce, MAX_EXAMPLES } from './line-check.ts';
import type { FileVerdict, LineCheck } from './line-check.ts';
import { createLineTable } from './line-table.ts';
import type { LineTable } from './line-table.ts';
import { createLineSplitter } from './split-lines.ts';
import type { UserFile } from './user-files.ts';

/** What was in a file when the demo looked at it, in whole lines. */
export interface FileSnapshot {
  lines: number;
  /** Up to and with the last line feed. */
  bytes: number;
}

export interface UserCheck extends LineCheck {
  /** Of each file, in the order of the files. */
  readonly snapshots: readonly FileSnapshot[];
  /**
   * Reads what came into the files since the snapshot: it may have been carried as well, each line at most once. Call it
   * when the agents have stopped, before the first `take`.
   */
  allowLater(): Promise<void>;
}

interface FileTally {
  file: UserFile;
  snapshot: FileSnapshot;
  /** Bytes of the file behind its last line feed, at the last look: the beginning of a line that is not finished. */
  waitingBytes: number;
  expected: LineChecksum;
  found: LineChecksum;
  foundLines: number;
  doubled: number;
  doubledExamples: string[];
  laterLines: number;
  laterFound: number;
}

/** The longest line that becomes one record in the demo; its pipelines are set to the same. */
export const MAX_LINE_BYTES = 1000 * 1024;

const READ_BYTES = 1024 * 1024;

/**
 * Checks the user's own lines, which carry no marks: a line is known by its digest, and belongs to the file that has it.
 * When several have it, the first gets it first; nobody could tell such lines apart. Reads the files to their sizes now.
 * @throws UsageError for a line longer than a record may be, and for more lines than can be checked
 */
export async function createUserCheck(files: readonly UserFile[]): Promise<UserCheck> {
  const table = createLineTable();
  const tallies: FileTally[] = [];
  for (const [owner, file] of files.entries()) tallies.push(await takeSnapshot(file, owner, table));
  let foreign = 0;
  const foreignExamples: string[] = [];

  return {
    snapshots: tallies.map(({ snapshot }) => snapshot),
    async allowLater() {
      // Their owners have higher numbers, so that a line of the snapshot is never taken for a later one.
      for (const [index, tally] of tallies.entries()) await addLater(tally, table, files.length + index);
    },
    take(line) {
      const digest = digestOf(line);
      const taken = table.take(digest);
      if (taken === undefined) {
        foreign += 1;
        if (foreignExamples.length < MAX_EXAMPLES) foreignExamples.push(excerpt(line));
        return;
      }
      const tally = tallies[taken.owner % files.length]!;
      if (taken.owner >= files.length && !taken.isExtra) tally.laterFound += 1;
      else count(tally, digest, taken.isExtra ? line : undefined);
    },
    async finish() {
      const verdicts: FileVerdict[] = [];
      for (const [owner, tally] of tallies.entries()) verdicts.push(await verdictOf(tally, owner, table));
      return { exactlyOnce: isExactlyOnce(verdicts, foreign), files: verdicts, foreign, foreignExamples };
    },
  };
}

async function takeSnapshot(file: UserFile, owner: number, table: LineTable): Promise<FileTally> {
  const expected = createLineChecksum();
  let lines = 0;
  const refuse = (): never => {
    const limit = `longer than the ${MAX_LINE_BYTES} bytes of a record, so it would come in pieces`;
    throw new UsageError(`${file.name}: line ${lines + 1} is ${limit}; this is hardly a log file`);
  };
  const onPart = (bytes: number): void => {
    if (bytes > MAX_LINE_BYTES) refuse();
  };
  const range = { from: 0, to: file.sizeBytes, onPart };
  const { rest } = await readLines(file.handle, range, (line) => {
    if (line.length > MAX_LINE_BYTES) refuse();
    const digest = digestOf(line);
    table.add(digest, owner);
    expected.add(digest);
    lines += 1;
  });
  const waitingBytes = rest.length;
  return {
    file,
    snapshot: { lines, bytes: file.sizeBytes - waitingBytes },
    waitingBytes,
    expected,
    found: createLineChecksum(),
    foundLines: 0,
    doubled: 0,
    doubledExamples: [],
    laterLines: 0,
    laterFound: 0,
  };
}

/** From the snapshot to the end of the file, and the file that has taken its name, if it was rotated. */
async function addLater(tally: FileTally, table: LineTable, owner: number): Promise<void> {
  const add = (line: Uint8Array): void => {
    table.add(digestOf(line), owner);
    tally.laterLines += 1;
  };
  const addAll = async (handle: FileHandle, from: number): Promise<number> => {
    const { size } = await handle.stat();
    const { rest } = await readLines(handle, { from, to: size }, add);
    // An agent takes an unfinished line of a rotated file for a whole one.
    if (rest.length > 0) table.add(digestOf(rest), owner);
    return rest.length;
  };
  tally.waitingBytes = await addAll(tally.file.handle, tally.snapshot.bytes);
  const successor = await successorOf(tally.file);
  if (successor === undefined) return;
  try {
    await addAll(successor, 0);
  } finally {
    await successor.close();
  }
}

async function successorOf({ path, identity }: UserFile): Promise<FileHandle | undefined> {
  try {
    const { dev, ino } = await stat(path);
    return `${dev}:${ino}` === identity ? undefined : await open(path, 'r');
  } catch {
    return undefined; // the name leads to nothing any more
  }
}

function count(tally: FileTally, digest: string, extra: Uint8Array | undefined): void {
  tally.foundLines += 1;
  tally.found.add(digest);
  if (extra === undefined) return;
  tally.doubled += 1;
  if (tally.doubledExamples.length < MAX_EXAMPLES)
    tally.doubledExamples.push(`came again: ${excerpt(extra)}`);
}

async function verdictOf(tally: FileTally, owner: number, table: LineTable): Promise<FileVerdict> {
  const { file, snapshot, expected, found, foundLines, doubled, doubledExamples } = tally;
  const missing = snapshot.lines - (foundLines - doubled);
  return {
    name: file.name,
    expected: snapshot.lines,
    found: foundLines,
    missing,
    doubled,
    expectedChecksum: expected.hex(),
    foundChecksum: found.hex(),
    examples: [...(missing > 0 ? await missingExamples(tally, owner, table) : []), ...doubledExamples],
    remarks: remarksOf(tally),
  };
}

/** Reads the file once more for the first lines that are still expected. */
async function missingExamples(
  { file, snapshot }: FileTally,
  owner: number,
  table: LineTable,
): Promise<string[]> {
  const examples: string[] = [];
  let lines = 0;
  await readLines(file.handle, { from: 0, to: snapshot.bytes }, (line) => {
    lines += 1;
    if (examples.length < MAX_EXAMPLES && table.remaining(digestOf(line), owner) > 0)
      examples.push(`line ${lines} is missing: ${excerpt(line)}`);
  });
  return examples;
}

function remarksOf({ waitingBytes, laterLines, laterFound }: FileTally): string[] {
  const remarks: string[] = [];
  if (waitingBytes > 0) remarks.push(`waiting: no newline yet behind the last ${waitingBytes} bytes`);
  if (laterLines + laterFound > 0)
    remarks.push(`${laterLines} line(s) came during the run, ${laterFound} of them are in S3 already`);
  return remarks;
}

/**
 * The lines of a byte range; a range that ends early, because the file was truncated, has fewer. `onPart` hears how much
 * there is of a line whose end has not come yet.
 */
async function readLines(
  handle: FileHandle,
  { from, to, onPart }: { from: number; to: number; onPart?: (bytes: number) => void },
  onLine: (line: Uint8Array) => void,
): Promise<{ rest: Uint8Array }> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const splitter = createLineSplitter(onLine);
  for (let position = from; position < to;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(READ_BYTES, to - position), position);
    if (bytesRead === 0) break;
    splitter.push(buffer.subarray(0, bytesRead));
    onPart?.(splitter.restBytes);
    position += bytesRead;
  }
  return { rest: splitter.rest() };
}
