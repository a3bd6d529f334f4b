import { readFileSync } from 'node:fs';

const TAIL_LINES = 15;

/** The last lines of a log file, indented, under a line that says where they are from. */
export function logTail(file: string): string {
  const lines = readQuietly(file).trimEnd().split('\n').slice(-TAIL_LINES);
  return `the end of ${file}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '(it cannot be read)';
  }
}
