import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { createLineMaker } from '../scripts/demo/log-line.ts';

/** A file of access-log lines, the same for the same size and seed. */
export interface Input {
  file: string;
  bytes: number;
  lines: number;
}

const LINES_A_WRITE = 5_000;

/** Writes at least so many bytes. */
export async function generateInput(file: string, bytes: number, seed: number): Promise<Input> {
  const out = createWriteStream(file);
  const nextLine = createLineMaker('bench', seed, Date.UTC(2026, 0, 1));
  let written = 0;
  let lines = 0;
  while (written < bytes) {
    const text = `${Array.from({ length: LINES_A_WRITE }, nextLine).join('\n')}\n`;
    written += text.length; // the lines are ASCII
    lines += LINES_A_WRITE;
    if (!out.write(text)) await once(out, 'drain');
  }
  out.end();
  await finished(out);
  return { file, bytes: (await stat(file)).size, lines };
}
