/** What globs match in a real file system now. Reads directories in pieces, so that a huge one holds nothing else up. */
import type { Dirent } from 'node:fs';
import { lstat, opendir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, messageOf } from '../../shared/errors.ts';
import type { GlobResult } from './file-system.ts';
import { type Globs, parseGlobs } from './globs.ts';

/** Entries that one call to the kernel brings. */
const ENTRIES = 1024;

type Kind = 'link' | 'directory' | 'other';

interface Entry {
  path: string;
  kind: Kind;
  /** The path leads to it. */
  isNamed: boolean;
}

function kindOf(entry: Pick<Dirent, 'isSymbolicLink' | 'isDirectory'>): Kind {
  if (entry.isSymbolicLink()) return 'link';
  return entry.isDirectory() ? 'directory' : 'other';
}

/** Why one directory cannot be looked into. @throws what says something about the whole process */
function reasonOf(error: unknown): string {
  const code = errnoOf(error);
  if (code === 'EMFILE' || code === 'ENFILE') throw error;
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied; let the user of the agent list it';
  return messageOf(error);
}

/** What Node gives for bytes of a name that are not UTF-8. The name that it gives then leads nowhere. */
const REPLACEMENT = '\ufffd';

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
): AsyncGenerator<Entry> {
  const names = globs.namesIn(directory);
  if (names === 'any') {
    await enter();
    for await (const entry of await opendir(directory, { bufferSize: ENTRIES })) {
      const path = join(directory, entry.name);
      const isNamed = !entry.name.includes(REPLACEMENT) || (await unlessGone(lstat(path))) !== undefined;
      yield { path, kind: kindOf(entry), isNamed };
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
    if (found !== undefined) yield { path, kind: kindOf(found), isNamed: true };
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
  const result: GlobResult = { paths: [], unreadable: [], misnamed: [] };

  const directoryBehind = async (link: string): Promise<string | undefined> => {
    try {
      const target = await unlessGone(realpath(link));
      const found = target === undefined ? undefined : await unlessGone(stat(target));
      return found?.isDirectory() === true ? target : undefined;
    } catch (error) {
      result.unreadable.push({ path: link, reason: reasonOf(error) });
      return undefined;
    }
  };

  const visit = async (directory: string, within: readonly string[]): Promise<void> => {
    const below: [path: string, kind: Kind][] = [];
    try {
      for await (const { path, kind, isNamed } of entriesOf(directory, globs, () => enter(directory))) {
        const isMatch = globs.matches(path);
        const leadsOn = kind !== 'other' && globs.leadsTo(path);
        if (!isNamed && (isMatch || leadsOn)) result.misnamed.push(path);
        if (!isNamed) continue;
        if (isMatch) result.paths.push(path);
        if (leadsOn) below.push([path, kind]);
      }
    } catch (error) {
      const isGone = ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
      if (!isGone) result.unreadable.push({ path: directory, reason: reasonOf(error) });
    }
    for (const [path, kind] of below) {
      if (kind === 'directory') await visit(path, [...within, path]);
      else {
        const target = await directoryBehind(path);
        if (target !== undefined && !within.includes(target)) await visit(path, [...within, target]);
      }
    }
  };
  await visit('/', ['/']);
  return result;
}
