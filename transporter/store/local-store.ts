import { randomUUID } from 'node:crypto';
import { access, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { z } from 'zod';
import type { LocalStoreConfig } from '../../shared/config/store-config.ts';
import { errnoOf, messageOf, SkaldError } from '../../shared/errors.ts';
import type { Listing, ObjectMetadata, ObjectStore } from './object-store.ts';

/**
 * Files that are not objects begin with a dot: unfinished ones (`.name.part-…`, one to a writer, because an
 * owner that lost the partition may still write) and the metadata beside an object (`.name.meta.json`).
 */
const partPrefix = (file: string): string => `.${basename(file)}.part-`;
const metadataName = (file: string): string => join(dirname(file), `.${basename(file)}.meta.json`);

const metadataSchema = z.record(z.string(), z.string());

/**
 * Objects as files in a folder. Each is written beside its place, synced, and linked to its name, then the
 * folder is synced: after a crash there is the whole object or none, and of two writers one comes first (POSIX
 * link is atomic and never replaces).
 *
 * The folder itself is made by `check` alone. When it vanishes later, a disk may have been unmounted, and what
 * were written into a new folder of the same name would be covered by the old one when that is back.
 */
export function openLocalStore(config: LocalStoreConfig): ObjectStore {
  const root = resolve(config.directory);

  const fileOf = (key: string): string => {
    const file = resolve(root, key);
    if (!file.startsWith(root + sep)) throw failed(`object name ${key} leaves the folder`, { key });
    return file;
  };

  const describe = async (key: string): Promise<ObjectMetadata | undefined> => {
    const file = fileOf(key);
    if (!(await isThere(file))) return undefined;
    try {
      return metadataSchema.parse(JSON.parse(await readFile(metadataName(file), 'utf8')));
    } catch {
      return {}; // some other program's file
    }
  };

  return {
    location: `file://${root}`,
    check: async () => {
      try {
        await makeFolder(root, '/');
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
      const taken = await describe(key);
      if (taken !== undefined) return taken;
      try {
        await makeFolder(dirname(file), root);
        // First, so that no object is ever without; where a killed writer left one without an object, over it.
        await writeWhole(metadataName(file), [Buffer.from(`${JSON.stringify(metadata)}\n`)], rename);
        await writeWhole(file, parts, linkOnce);
        await syncFolder(dirname(file));
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') return describe(key);
        throw failed(`cannot write ${file}: ${messageOf(error)}`, { key }, error);
      }
      return undefined;
    },
    describe,
    list: async (folder, signal) => {
      signal.throwIfAborted();
      try {
        return await listFolder(root, folder);
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return { objects: [], folders: [] };
        throw failed(`cannot read ${join(root, folder)}: ${messageOf(error)}`, { key: folder }, error);
      }
    },
    abortUnfinished: async (key) => {
      const file = fileOf(key);
      const prefixes = [file, metadataName(file)].map(partPrefix);
      const names = await readdir(dirname(file)).catch(() => []); // no folder, nothing unfinished in it
      for (const name of names) {
        if (prefixes.some((prefix) => name.startsWith(prefix))) {
          await rm(join(dirname(file), name), { force: true });
        }
      }
    },
    close: () => Promise.resolve(),
  };
}

/** `place` gives the finished file its name. */
async function writeWhole(
  file: string,
  parts: readonly Uint8Array[],
  place: (unfinished: string, file: string) => Promise<void>,
): Promise<void> {
  const unfinished = join(dirname(file), `${partPrefix(file)}${randomUUID()}`);
  try {
    await writeSynced(unfinished, parts);
    await place(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** @throws EEXIST */
async function linkOnce(unfinished: string, file: string): Promise<void> {
  try {
    await link(unfinished, file);
    await rm(unfinished);
  } catch (error) {
    // File systems without links, such as FAT, have no second writer's back: nothing was there a moment ago.
    if (!NO_LINKS.has(errnoOf(error) ?? '')) throw error;
    await rename(unfinished, file);
  }
}

const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP']);

async function listFolder(root: string, folder: string): Promise<Listing> {
  const listing: Listing = { objects: [], folders: [] };
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) listing.folders.push(entry.name);
    if (!entry.isFile()) continue;
    const { size } = await stat(join(root, folder, entry.name));
    listing.objects.push({ key: `${folder}${entry.name}`, bytes: size });
  }
  return listing;
}

async function isThere(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw failed(`cannot look at ${file}: ${messageOf(error)}`, { file }, error);
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
 * Makes the folder and those between it and `base`, which must be there. Syncs the parent of each that is new:
 * a folder is durable when its entry above is.
 */
async function makeFolder(folder: string, base: string): Promise<void> {
  if (folder === base) return;
  const parent = dirname(folder);
  try {
    await mkdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    if (errnoOf(error) !== 'ENOENT' || parent === base) throw error;
    await makeFolder(parent, base);
    await makeFolder(folder, base);
    return;
  }
  await syncFolder(parent);
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
