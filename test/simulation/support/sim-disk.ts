import type { FileStat, FileSystem, OpenFile } from '../../../agent/discover/file-system.ts';
import type { JournalFile } from '../../../agent/checkpoint/journal-file.ts';
import type { Random } from '../../../shared/clock.ts';
import type { ProcessLife } from './process-life.ts';

interface Inode {
  number: number;
  bytes: Buffer;
  modifiedMs: number;
  links: number;
}

/** A directory of log files as the application sees it, and as an agent sees it through `fileSystem`. */
export interface SimDisk {
  append(path: string, text: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  has(path: string): boolean;
  fileSystem(life: ProcessLife): FileSystem;
}

function notFound(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
}

export function simDisk(nowMs: () => number): SimDisk {
  const names = new Map<string, Inode>();
  /** Numbers of deleted inodes, taken again as ext4 does. */
  const free: number[] = [];
  let nextInode = 1;

  const statOf = (inode: Inode): FileStat => ({
    key: `fe00-${inode.number.toString(16)}`,
    sizeBytes: inode.bytes.length,
    modifiedMs: inode.modifiedMs,
    isFile: true,
    isDirectory: false,
    links: inode.links,
  });
  const find = (path: string): Inode => {
    const inode = names.get(path);
    if (inode === undefined) throw notFound(path);
    return inode;
  };
  const openInode = (inode: Inode, life: ProcessLife): OpenFile => ({
    stat: () => life.through(Promise.resolve(statOf(inode))),
    read: (into, at, length, position) => {
      const part = inode.bytes.subarray(position, position + length);
      into.set(part, at);
      return life.through(Promise.resolve(part.length));
    },
    close: () => life.through(Promise.resolve()),
  });

  return {
    append: (path, text) => {
      let inode = names.get(path);
      if (inode === undefined) {
        const number = free.shift() ?? nextInode++;
        inode = { number, bytes: Buffer.alloc(0), modifiedMs: nowMs(), links: 1 };
        names.set(path, inode);
      }
      inode.bytes = Buffer.concat([inode.bytes, Buffer.from(text)]);
      inode.modifiedMs = nowMs();
    },
    rename: (from, to) => {
      const inode = find(from);
      names.delete(from);
      names.set(to, inode);
    },
    remove: (path) => {
      const inode = find(path);
      names.delete(path);
      inode.links = 0;
      free.push(inode.number);
    },
    has: (path) => names.has(path),
    fileSystem: (life) => ({
      stat: async (path) => life.through(Promise.resolve(statOf(find(path)))),
      open: async (path) => life.through(Promise.resolve(openInode(find(path), life))),
      // The simulation's globs are a prefix and a suffix around one star.
      glob: (include) => {
        const [prefix, suffix] = include[0]!.split('*');
        const matches = [...names.keys()].filter((p) => p.startsWith(prefix!) && p.endsWith(suffix!));
        return life.through(Promise.resolve(matches));
      },
      list: (directory) =>
        life.through(
          Promise.resolve(
            [...names.keys()]
              .filter((p) => p.startsWith(`${directory}/`))
              .map((p) => p.slice(directory.length + 1)),
          ),
        ),
    }),
  };
}

/** The journal's bytes, which outlive processes. A process that dies in an append leaves any prefix of it. */
export interface SimJournal {
  readonly content: Buffer;
  file(life: ProcessLife, tear: Random): JournalFile;
  /** Takes away what was not synced; call it when the process is dead. A write that was under way is gone as well. */
  cutPower(): void;
}

/** `after` is the virtual delay that a write takes. */
export function simJournal(after: (ms: number) => Promise<void>): SimJournal {
  let content = Buffer.alloc(0);
  let syncedBytes = 0;
  return {
    get content() {
      return content;
    },
    cutPower: () => {
      content = content.subarray(0, syncedBytes);
    },
    file: (life, tear) => ({
      read: () => life.through(Promise.resolve(content)),
      append: async (bytes) => {
        // The write takes a moment; a process that is killed meanwhile has written part of it.
        await after(1);
        const written = life.alive ? bytes.length : Math.floor(tear() * bytes.length);
        content = Buffer.concat([content, bytes.subarray(0, written)]);
        await life.through(Promise.resolve());
      },
      sync: async () => {
        const bytes = content.length;
        await after(1);
        if (life.alive) syncedBytes = Math.max(syncedBytes, bytes);
        await life.through(Promise.resolve());
      },
      replace: async (bytes) => {
        await after(1);
        if (life.alive || tear() < 0.5) {
          content = Buffer.from(bytes);
          syncedBytes = content.length;
        }
        await life.through(Promise.resolve());
      },
      setAside: () => life.through(Promise.resolve('aside')),
      close: () => life.through(Promise.resolve()),
    }),
  };
}
