import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errnoOf, messageOf } from '../../shared/errors.ts';
import { DemoError, UsageError } from './demo-error.ts';

/** A file of the user's, opened for reading: whatever happens to its name, this is still the file that was meant. */
export interface UserFile {
  /** As the user named it, or found in the directory that was named. */
  name: string;
  /** Absolute and without symbolic links. */
  path: string;
  /** Device and inode. */
  identity: string;
  handle: FileHandle;
  /** At the moment the demo looked: what is behind it came later. */
  sizeBytes: number;
}

export interface UserFiles {
  files: UserFile[];
  /** What is in the named directories and is not carried, with the reason. */
  leftOut: { name: string; reason: string }[];
}

/** Each is held open, and each is a row of the report. */
const MAX_FILES = 500;

/**
 * The files that the user named, and the files directly in the directories that the user named. A file that has two names
 * is there once. @throws UsageError for a named path that cannot be carried, and for a directory without a file
 */
export async function openUserFiles(names: readonly string[]): Promise<UserFiles> {
  const found: UserFiles = { files: [], leftOut: [] };
  try {
    for (const name of names) {
      if (await isDirectory(name)) await openDirectory(name, found);
      else await openInto(found, name);
    }
  } catch (error) {
    await closeUserFiles(found.files);
    throw error;
  }
  return found;
}

export async function closeUserFiles(files: readonly UserFile[]): Promise<void> {
  await Promise.all(files.map(({ handle }) => handle.close()));
}

class TooManyFiles extends UsageError {}

async function isDirectory(name: string): Promise<boolean> {
  try {
    return (await stat(name)).isDirectory();
  } catch (error) {
    throw new UsageError(`${name}: ${reasonOf(error)}`, { cause: error });
  }
}

async function openDirectory(directory: string, found: UserFiles): Promise<void> {
  const entries = await readdir(directory).catch((error: unknown) => {
    throw new UsageError(`${directory}: ${reasonOf(error)}`, { cause: error });
  });
  if (entries.length === 0) throw new UsageError(`${directory}: the directory is empty`);
  let files = 0;
  for (const entry of entries.sort()) {
    const name = join(directory, entry);
    try {
      await openInto(found, name);
      files += 1;
    } catch (error) {
      if (!(error instanceof UsageError) || error instanceof TooManyFiles) throw error;
      found.leftOut.push({ name, reason: error.message.slice(name.length + 2) });
    }
  }
  if (files === 0) {
    const why = found.leftOut.map(({ name, reason }) => `\n  ${name}: ${reason}`).join('');
    throw new UsageError(`${directory}: no file in the directory can be carried${why}`);
  }
}

async function openInto({ files }: UserFiles, name: string): Promise<void> {
  const file = await openUserFile(name);
  const isKnown = files.some(({ identity }) => identity === file.identity);
  if (isKnown) await file.handle.close();
  else files.push(file);
  if (files.length > MAX_FILES) throw new TooManyFiles(`more than ${MAX_FILES} files; name fewer of them`);
}

async function openUserFile(name: string): Promise<UserFile> {
  const refuse = (reason: string, cause?: unknown): never => {
    throw new UsageError(`${name}: ${reason}`, { cause });
  };
  try {
    const path = await realpath(resolve(name));
    // Looked at before it is opened: opening a FIFO would wait for its writer.
    const kind = await stat(path);
    if (kind.isDirectory()) refuse('is a directory in a directory; name it as well to carry its files');
    if (!kind.isFile()) refuse('is not a regular file');
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { dev, ino, size } = await handle.stat();
    return { name, path, identity: `${dev}:${ino}`, handle, sizeBytes: size };
  } catch (error) {
    if (error instanceof DemoError) throw error;
    return refuse(reasonOf(error), error);
  }
}

function reasonOf(error: unknown): string {
  const code = errnoOf(error);
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'cannot be read: permission denied';
  if (code === 'ENOTDIR') return 'a part of its path is not a directory';
  if (code === 'ELOOP') return 'its symbolic link leads to itself';
  return `cannot be read: ${messageOf(error)}`;
}
