import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { createAccessLog } from './access-log.ts';
import { LineDigester, type LineDigest } from './line-digest.ts';

/** A file, and what every run must bring to the topic. */
export interface Input {
  file: string;
  bytes: number;
  lines: number;
  digest: LineDigest;
}

const LINES_A_WRITE = 5_000;
const READ_BYTES = 1024 * 1024;

/** Writes at least so many bytes of access log, the same for the same size and seed. */
export async function generateInput(file: string, bytes: number, seed: number): Promise<Input> {
  const out = createWriteStream(file);
  const nextLine = createAccessLog(seed, Date.UTC(2026, 0, 1));
  const digester = new LineDigester();
  let written = 0;
  while (written < bytes) {
    const text = Buffer.from(`${Array.from({ length: LINES_A_WRITE }, nextLine).join('\n')}\n`, 'latin1');
    digester.add(text);
    written += text.length;
    if (!out.write(text)) await once(out, 'drain');
  }
  out.end();
  await finished(out);
  return { file, bytes: written, lines: digester.digest.lines, digest: digester.digest };
}

/** @throws Error when its last line has no line break: some programs would send it, some would wait */
export async function existingInput(file: string): Promise<Input> {
  const digester = new LineDigester();
  let bytes = 0;
  for await (const piece of createReadStream(file, { highWaterMark: READ_BYTES })) {
    digester.add(piece);
    bytes += piece.length;
  }
  if (digester.restBytes > 0 || bytes === 0)
    throw new Error(`${file} must end with a line break, so that every program sends the same lines`);
  return { file, bytes, lines: digester.digest.lines, digest: digester.digest };
}
