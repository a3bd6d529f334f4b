/** What is wrong with the lines of numbered-log.ts that came to a topic, by Apache's console consumer. */
import { readValues } from './read-topic.ts';

export interface TopicJudgement {
  records: number;
  /** Numbers that did not come. */
  missing: number[];
  /** Numbers that came more than once. */
  doubled: number[];
  /** Lines that came behind a later line of the same file in the same partition. */
  outOfOrder: number;
}

/** How many files a log may rotate through. */
const MAX_FILES = 10_000;
const DIGIT_0 = 0x30;

/** Reads a whole topic of lines 1 to `written`. A million lines take a few seconds and 100 MB: lines are counted, not kept. */
export async function judgeTopic(
  topic: string,
  written: number,
  bootstrap?: readonly string[],
): Promise<TopicJudgement> {
  const printed = await readValues(topic, bootstrap, ['print.partition=true', 'key.separator= ']);
  const counts = new Uint8Array(written + 1);
  const lastOf = new Map<number, number>();
  let records = 0;
  let outOfOrder = 0;
  for (let at = 0; at < printed.length; records += 1) {
    const end = printed.indexOf(0x0a, at);
    // Partition:<partition> <file> <line> …
    const partition = numberAt(printed, at + 'Partition:'.length);
    const file = numberAt(printed, partition.end + 1);
    const line = numberAt(printed, file.end + 1);
    if (line.value < 1 || line.value > written || file.value >= MAX_FILES) {
      throw new Error(`not a line that was written: ${printed.toString('latin1', at, end)}`);
    }
    counts[line.value] = Math.min(255, counts[line.value]! + 1);
    const stream = partition.value * MAX_FILES + file.value;
    if (line.value <= (lastOf.get(stream) ?? 0)) outOfOrder += 1;
    lastOf.set(stream, line.value);
    at = end + 1;
  }
  const missing: number[] = [];
  const doubled: number[] = [];
  for (let line = 1; line <= written; line += 1) {
    if (counts[line] === 0) missing.push(line);
    else if (counts[line]! > 1) doubled.push(line);
  }
  return { records, missing, doubled, outOfOrder };
}

function numberAt(bytes: Buffer, at: number): { value: number; end: number } {
  let value = 0;
  let end = at;
  for (; bytes[end]! >= DIGIT_0 && bytes[end]! <= DIGIT_0 + 9; end += 1) {
    value = value * 10 + bytes[end]! - DIGIT_0;
  }
  return { value: end === at ? Number.NaN : value, end };
}
