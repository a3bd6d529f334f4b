import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { messageOf, SkaldError } from '../errors.ts';
import { problemsError } from './problem.ts';

/** More than any configuration needs; what is larger is another kind of file. */
const MAX_CONFIG_BYTES = 1024 ** 2;

/**
 * The text of a configuration file, without a byte order mark.
 * @throws SkaldError CONFIG_UNREADABLE: missing, not a plain file, no permission, too large. CONFIG_INVALID: not UTF-8.
 */
export function readConfigText(file: string): string {
  const content = readPlainFile(file);
  if (!isUtf8(content)) throw problemsError(file, [notUtf8(content)]);
  return new TextDecoder('utf-8').decode(content);
}

function readPlainFile(file: string): Buffer {
  try {
    const { size, isDirectory, isPlain } = kindOf(file);
    if (isDirectory) throw unreadable(file, 'is a directory, not a file');
    if (!isPlain) throw unreadable(file, 'is not a plain file');
    if (size > MAX_CONFIG_BYTES)
      throw unreadable(file, `has ${size} bytes; a configuration has at most ${MAX_CONFIG_BYTES}`);
    return readFileSync(file);
  } catch (error) {
    throw error instanceof SkaldError ? error : unreadable(file, reasonOf(error), error);
  }
}

function kindOf(file: string) {
  const stat = statSync(file);
  return { size: stat.size, isDirectory: stat.isDirectory(), isPlain: stat.isFile() };
}

export function unreadable(file: string, reason: string, cause?: unknown): SkaldError {
  return new SkaldError('CONFIG_UNREADABLE', `${file}: ${reason}`, { cause, where: { file } });
}

/** What a failed file operation means to the one who reads about it. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'cannot be read: permission denied';
  if (code === 'ENOTDIR') return 'cannot be opened: it, or a part of its path, is not a directory';
  if (code === 'EISDIR') return 'is a directory, not a file';
  return `cannot be read: ${messageOf(error)}`;
}

function notUtf8(content: Buffer) {
  let line = 1;
  for (let start = 0; start < content.length; line += 1) {
    const end = content.indexOf(0x0a, start);
    const stop = end === -1 ? content.length : end + 1;
    if (!isUtf8(content.subarray(start, stop))) break;
    start = stop;
  }
  return { path: [], line, column: 1, message: 'is not UTF-8 text; save the file as UTF-8' };
}
