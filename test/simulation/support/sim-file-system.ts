/** The simulated disk as the agent sees it, through calls that can be slow, short, refused or broken. */
import picomatch from 'picomatch';
import type { FileStat, FileSystem, OpenFile } from '../../../agent/discover/file-system.ts';
import type { ProcessLife } from './process-life.ts';
import type { DiskWatch } from './sim-disk.ts';
import { errno, type FileNode, type Node } from './sim-inode.ts';

export type FileCall = 'open' | 'read' | 'stat' | 'list';

/** Chance and time are the caller's, so that the same seed meets the same faults. */
export interface ReadFaults {
  /** How long a call waits before it looks at the disk, in virtual milliseconds; 0 is at once. */
  delayMs(): number;
  wait(ms: number): Promise<void>;
  /** The error that a call fails with, if it does. */
  fails(call: FileCall): string | undefined;
  /** How much of a read arrives: 1 to `length`. */
  shortened(length: number): number;
}

interface DiskInside {
  lookup: (path: string) => Node | undefined;
  paths: () => string[];
  freeIfUnused: (file: FileNode) => void;
  watch: DiskWatch;
  life: ProcessLife;
  faults: ReadFaults | undefined;
}

const matchers = new Map<string, (path: string) => boolean>();

/** Whether the agent's globs match a path. */
export function matchesGlobs(path: string, include: readonly string[], exclude: readonly string[]): boolean {
  const key = JSON.stringify([include, exclude]);
  let matches = matchers.get(key);
  if (matches === undefined) {
    matches = picomatch([...include], { dot: true, ignore: [...exclude] });
    matchers.set(key, matches);
  }
  return matches(path);
}

function statOf(node: Exclude<Node, { kind: 'link' }>): FileStat {
  const file = node.kind === 'file' ? node : undefined;
  return {
    key: `${node.device.toString(16)}-${node.number.toString(16)}`,
    sizeBytes: file?.content.size ?? 0,
    modifiedMs: file?.modifiedMs ?? 0,
    isFile: file !== undefined,
    isDirectory: file === undefined,
    links: file?.links ?? 1,
  };
}

export function agentFileSystem({
  lookup,
  paths,
  freeIfUnused,
  watch,
  life,
  faults,
}: DiskInside): FileSystem {
  /** One call: it waits, fails or sees the disk at one instant, and its result comes back to a process that lives. */
  const call = <T>(kind: FileCall, path: string, look: () => T): Promise<T> => {
    const run = async (): Promise<T> => {
      const delayMs = faults?.delayMs() ?? 0;
      if (delayMs > 0) await faults!.wait(delayMs);
      const failure = faults?.fails(kind);
      if (failure !== undefined) throw errno(failure, path);
      return look();
    };
    return life.through(run());
  };
  const existing = (path: string): Exclude<Node, { kind: 'link' }> => {
    const node = lookup(path);
    if (node === undefined || node.kind === 'link') throw errno('ENOENT', path);
    return node;
  };

  /** What would take time, or fails, is not there at once. */
  const isLate = (kind: FileCall): boolean =>
    !life.alive || (faults?.delayMs() ?? 0) > 0 || faults?.fails(kind) !== undefined;

  const openNode = (file: FileNode, path: string): OpenFile => {
    let isOpen = true;
    const letGo = (how: 'closed' | 'died'): void => {
      if (!isOpen) return;
      isOpen = false;
      file.readers -= 1;
      watch.lessReachable?.(file, how);
      freeIfUnused(file);
    };
    file.readers += 1;
    watch.opened?.(file);
    life.onDeath(() => letGo('died'));
    const opened: OpenFile = {
      stat: async () => {
        const { content, stat } = await call('stat', path, () => ({
          content: file.content,
          stat: statOf(file),
        }));
        watch.looked?.(file, content, stat.sizeBytes);
        return stat;
      },
      read: async (into, at, length, position) => {
        const { content, count } = await call('read', path, () => {
          if (!isOpen) throw errno('EBADF', path);
          const { buffer, size } = file.content;
          const asked = length > 1 ? (faults?.shortened(length) ?? length) : length;
          const some = Math.max(0, Math.min(asked, size - position));
          into.set(buffer.subarray(position, position + some), at);
          return { content: file.content, count: some };
        });
        if (count > 0) watch.read?.(file, content);
        return count;
      },
      readBoth: async (first, second, position) => {
        const both = Buffer.alloc(first.length + second.length);
        const count = await opened.read(both, 0, both.length, position);
        first.set(both.subarray(0, Math.min(count, first.length)));
        second.set(both.subarray(first.length, Math.max(count, first.length)));
        return count;
      },
      growthNow: () => {
        if (isLate('stat')) return undefined;
        const { sizeBytes, modifiedMs } = statOf(file);
        watch.looked?.(file, file.content, sizeBytes);
        return { sizeBytes, modifiedMs };
      },
      readBothNow: (first, second, position) => {
        if (isLate('read')) return undefined;
        const { buffer, size } = file.content;
        const some = buffer.subarray(position, Math.min(size, position + first.length + second.length));
        first.set(some.subarray(0, first.length));
        second.set(some.subarray(first.length));
        if (some.length > 0) watch.read?.(file, file.content);
        return some.length;
      },
      close: () => {
        letGo('closed');
        return life.through(Promise.resolve());
      },
    };
    return opened;
  };

  return {
    stat: (path) => call('stat', path, () => statOf(existing(path))),
    open: (path) =>
      call('open', path, () => {
        const node = existing(path);
        if (node.kind === 'directory') throw errno('EISDIR', path);
        if (!node.readable) throw errno('EACCES', path);
        if (!life.alive) throw errno('EINTR', path); // the process died while the call waited: it leaves no descriptor
        return openNode(node, path);
      }),
    glob: (include, exclude) =>
      call('list', include.join(), () => ({
        paths: paths().filter((path) => matchesGlobs(path, include, exclude)),
        unreadable: [],
        misnamed: [],
      })),
    realPath: (path) => call('stat', path, () => path),
    statLocal: () => undefined,
    // Nothing is announced: the agent looks.
    watch: (directory) => life.through(Promise.reject(errno('ENOTSUP', directory))),
    list: (directory) =>
      call('list', directory, () => {
        const node = existing(directory);
        if (node.kind !== 'directory') throw errno('ENOTDIR', directory);
        return [...node.entries.keys()];
      }),
  };
}
