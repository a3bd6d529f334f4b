/** What globs match in a real file system now. Reads directories in pieces, so that a huge one holds nothing else up. */
import type { Dirent } from 'node:fs';
import { lstat, opendir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../shared/errors.ts';
import type { GlobResult } from './file-system.ts';
import { type Globs, parseGlobs } from './globs.ts';

/** Entries that one call to the kernel brings. */
const ENTRIES = 1024;

type Kind = 'link' | 'directory' | 'other';

function kindOf(entry: Pick<Dirent, 'isSymbolicLink' | 'isDirectory'>): Kind {
  if (entry.isSymbolicLink()) return 'link';
  return entry.isDirectory() ? 'directory' : 'other';
}

/** Undefined for what is not there, or not any more. */
async function unlessGone<T>(look: Promise<T>): Promise<T | undefined> {
  return look.catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  });
}

async function* entriesOf(
  directory: string,
  globs: Globs,
  enter: () => Promise<void>,
): AsyncGenerator<[path: string, kind: Kind]> {
  const names = globs.namesIn(directory);
  if (names === 'any') {
    await enter();
    for await (const entry of await opendir(directory, { bufferSize: ENTRIES })) {
      yield [join(directory, entry.name), kindOf(entry)];
    }
    return;
  }
  for (const name of names) {
    const path = join(directory, name);
    const isMatch = globs.matches(path);
    if (isMatch) await enter();
    let found = await unlessGone(lstat(path));
    if (found === undefined && !isMatch) {
      await enter(); // a directory on the way may come
      found = await unlessGone(lstat(path));
    }
    if (found !== undefined) yield [path, kindOf(found)];
  }
}

/**
 * `enter` is called for each directory in which a match, or a directory on the way to one, can appear, before it is looked
 * into: who starts to watch it there misses nothing. A link to a directory is followed, unless the walk is in it already.
 */
export async function walk(
  include: readonly string[],
  exclude: readonly string[],
  enter: (directory: string) => Promise<void>,
): Promise<GlobResult> {
  const globs = parseGlobs(include, exclude);
  const found: GlobResult = { paths: [], unreadable: [] };

  const visit = async (directory: string, within: readonly string[]): Promise<void> => {
    const below: [path: string, kind: Kind][] = [];
    try {
      for await (const [path, kind] of entriesOf(directory, globs, () => enter(directory))) {
        if (globs.matches(path)) found.paths.push(path);
        if (kind !== 'other' && globs.leadsTo(path)) below.push([path, kind]);
      }
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'EACCES' || code === 'EPERM') found.unreadable.push(directory);
      else if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    }
    for (const [path, kind] of below) {
      if (kind === 'directory') await visit(path, [...within, path]);
      else {
        const target = await unlessGone(realpath(path));
        if (target === undefined || within.includes(target)) continue;
        if ((await unlessGone(stat(target)))?.isDirectory() === true) await visit(path, [...within, target]);
      }
    }
  };
  await visit('/', ['/']);
  return found;
}
