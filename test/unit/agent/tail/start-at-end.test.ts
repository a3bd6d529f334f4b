import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Framing, LINES } from '../../../../shared/framing/framing.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { follower } from './follower.ts';

const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
const FRAMES: Framing = {
  type: 'length-prefixed',
  prefixSize: 4,
  byteOrder: 'big-endian',
  maxFrameBytes: 1_000,
};
const MULTILINE: Framing = { ...LINES, type: 'multiline', matches: 'start', pattern: '^>' };

/** What is read of `next` at once: a last record of several lines waits for what may go on with it. */
function arriving(next: string | Buffer): string {
  return Buffer.from(next).toString('latin1').replace(/>\n$/, '');
}

describe('startAt: end, in a file that ends with a whole record', () => {
  test.each<[string, Framing, string | Buffer, string | Buffer]>([
    ['lines', LINES, 'old\n', 'new\n'],
    ['lines that end with CR LF', { ...LINES, delimiter: '\r\n' }, 'old\r\n', 'new\r\n'],
    ['UTF-16', { ...LINES, encoding: 'utf-16' }, utf16('\ufeffold\n'), utf16('new\n')],
    ['records of several lines', MULTILINE, '>old\n', '>new\n>\n'],
    ['records with a length', FRAMES, '\0\0\0\x03old', '\0\0\0\x03new'],
  ])('%s: what comes next', async (_, framing, old, next) => {
    const directory = await tempDir();
    const log = join(directory, 'app.log');
    await writeFile(log, old);
    const f = await follower(directory, { startAt: 'end', framing });
    expect(await f.look()).toBe('');
    await appendFile(log, next);
    expect(await f.look()).toBe(arriving(next));
  });
});

describe('startAt: end, in a file whose last record is being written', () => {
  test.each<[string, Framing, string | Buffer, string | Buffer, string | Buffer]>([
    ['lines', LINES, 'old li', 'ne\n', 'new\n'],
    [
      'lines that end with CR LF, between the two',
      { ...LINES, delimiter: '\r\n' },
      'old\r',
      '\nline\r\n',
      'new\r\n',
    ],
    ['UTF-16, within a code unit', { ...LINES, encoding: 'utf-16be' }, '\0o\0', 'l\0d\0\n', '\0n\0e\0w\0\n'],
    ['records of several lines', MULTILINE, '>old\n  mo', 're\n  more\n', '>new\n>\n'],
  ])('%s: the rest of it is passed over', async (_, framing, old, rest, next) => {
    const directory = await tempDir();
    const log = join(directory, 'app.log');
    await writeFile(log, old);
    const f = await follower(directory, { startAt: 'end', framing });
    expect(await f.look()).toBe('');
    await appendFile(log, rest);
    expect(await f.look()).toBe('');
    await appendFile(log, next);
    expect(await f.look()).toBe(arriving(next));
  });
});
