/** The bytes of a journal on disk. An interface, so that a simulation can tear, fill and cut the power of its disk. */
import { mkdir, open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { errnoOf } from '../../shared/errors.ts';

export interface JournalFile {
  /** The whole content; empty when there is none yet. */
  read(): Promise<Buffer>;
  append(bytes: Uint8Array): Promise<void>;
  /** Returns when all that was appended is on the disk. */
  sync(): Promise<void>;
  /** Puts `bytes` in place of the whole content, or leaves the old content when it fails. On disk when it returns. */
  replace(bytes: Uint8Array): Promise<void>;
  /** Keeps `bytes` beside the journal for a person to look at. */
  setAside(bytes: Uint8Array, suffix: string): Promise<string>;
  close(): Promise<void>;
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function openJournalFile(file: string): Promise<JournalFile> {
  const directory = path.dirname(file);
  await mkdir(directory, { recursive: true });
  let handle: FileHandle | undefined;
  const appendHandle = async (): Promise<FileHandle> => (handle ??= await open(file, 'a', 0o640));

  return {
    read: async () => {
      try {
        return await readFile(file);
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return Buffer.alloc(0);
        throw error;
      }
    },
    append: async (bytes) => {
      await (await appendHandle()).appendFile(bytes);
    },
    sync: async () => {
      await handle?.datasync();
    },
    replace: async (bytes) => {
      const temporary = `${file}.new`;
      const next = await open(temporary, 'w', 0o640);
      try {
        await next.writeFile(bytes);
        await next.sync();
      } catch (error) {
        await next.close();
        await rm(temporary, { force: true });
        throw error;
      }
      await next.close();
      await rename(temporary, file);
      await syncDirectory(directory);
      const old = handle;
      handle = undefined; // it belongs to the file that was replaced
      await old?.close();
    },
    setAside: async (bytes, suffix) => {
      const aside = `${file}.${suffix}`;
      const out = await open(aside, 'w', 0o640);
      try {
        await out.writeFile(bytes);
      } finally {
        await out.close();
      }
      return aside;
    },
    close: async () => {
      const old = handle;
      handle = undefined;
      await old?.close();
    },
  };
}
