import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { LocalStoreConfig } from '../../shared/config/store-config.ts';
import { messageOf, SkaldError } from '../../shared/errors.ts';
import type { ObjectStore } from './object-store.ts';

/**
 * Files that are not objects begin with a dot: unfinished ones (`.name.part-…`, one to a writer, because an
 * owner that lost the partition may still write) and the metadata beside an object (`.name.meta.json`).
 */
const partPrefix = (file: string): string => `.${basename(file)}.part-`;
const metadataName = (file: string): string => join(dirname(file), `.${basename(file)}.meta.json`);

/**
 * Objects as files in a folder. Each is written beside its place, synced, and renamed over it, then the
 * folder is synced: after a crash there is the whole object or none (POSIX rename is atomic).
 */
export function openLocalStore(config: LocalStoreConfig): ObjectStore {
  const root = resolve(config.directory);

  const fileOf = (key: string): string => {
    const file = resolve(root, key);
    if (!file.startsWith(root + sep)) throw failed(`object name ${key} leaves the folder`, { key });
    return file;
  };

  return {
    location: `file://${root}`,
    check: async () => {
      try {
        await makeFolder(root);
        const probe = join(root, `.check-${randomUUID()}`);
        await writeSynced(probe, [new Uint8Array(1)]);
        await rm(probe);
      } catch (error) {
        throw failed(`cannot write to ${root}: ${messageOf(error)}`, { directory: root }, error);
      }
    },
    put: async (key, parts, { metadata, signal }) => {
      signal.throwIfAborted();
      const file = fileOf(key);
      try {
        await makeFolder(dirname(file));
        await writeWhole(metadataName(file), [Buffer.from(`${JSON.stringify(metadata)}\n`)]);
        await writeWhole(file, parts);
        await syncFolder(dirname(file));
      } catch (error) {
        throw failed(`cannot write ${file}: ${messageOf(error)}`, { key }, error);
      }
    },
    abortUnfinished: async (key) => {
      const file = fileOf(key);
      const names = await readdir(dirname(file)).catch(() => []); // no folder, nothing unfinished in it
      for (const name of names.filter((found) => found.startsWith(partPrefix(file)))) {
        await rm(join(dirname(file), name), { force: true });
      }
    },
    close: () => Promise.resolve(),
  };
}

async function writeWhole(file: string, parts: readonly Uint8Array[]): Promise<void> {
  const unfinished = join(dirname(file), `${partPrefix(file)}${randomUUID()}`);
  try {
    await writeSynced(unfinished, parts);
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function writeSynced(file: string, parts: readonly Uint8Array[]): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    for (const part of parts) await handle.writeFile(part); // goes on where the last one ended
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes the folder, and syncs the parent of each that is new: a folder is durable when its entry above is.
 */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function failed(message: string, where: Record<string, string>, cause?: unknown): SkaldError {
  return new SkaldError('STORE_FAILED', message, { where, cause });
}
