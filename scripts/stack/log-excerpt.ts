import { readFile } from 'node:fs/promises';

const COMPLAINT_LINES = 10;
const TAIL_LINES = 20;
/** The levels of slf4j-simple and logback, and what Java prints for an exception. */
const COMPLAINT = /\b(?:ERROR|FATAL|SEVERE)\b|^Caused by: |^\S*(?:Exception|Error): /;

/**
 * What a person needs of a log that ended badly: the last lines that complain, and its end. A Kafka broker that gives up
 * writes dozens of orderly lines about its shutdown after the one that says why.
 */
export function logExcerpt(text: string): string[] {
  const lines = text.trimEnd().split('\n');
  const tail = lines.slice(-TAIL_LINES);
  const complaints = lines
    .slice(0, -TAIL_LINES)
    .filter((line) => COMPLAINT.test(line))
    .slice(-COMPLAINT_LINES);
  return complaints.length === 0 ? tail : [...complaints, '…', ...tail];
}

/** The excerpt of what was written to the file from byte `offset` on, ready to be part of an error message. */
export async function describeLog(logFile: string, offset: number): Promise<string> {
  const bytes = await readFile(logFile).catch(() => Buffer.alloc(0));
  const lines = logExcerpt(bytes.subarray(offset).toString());
  return `from ${logFile}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
