/** A file system in memory as applications see it: names, links, directories on several devices, open descriptors. */
import { basename, dirname } from 'node:path';
import type { FileSystem } from '../../../agent/discover/file-system.ts';
import type { ProcessLife } from './process-life.ts';
import {
  append,
  type Content,
  type DirectoryNode,
  errno,
  type FileNode,
  inodeNumbers,
  type Node,
} from './sim-inode.ts';
import { agentFileSystem, type ReadFaults } from './sim-file-system.ts';

/** An open descriptor of an application. */
export interface WriteHandle {
  readonly file: FileNode;
  /** At the end with O_APPEND, else where this descriptor wrote last, whatever the size is now. */
  write(bytes: Buffer | string): void;
  close(): void;
}

/** What a judge wants to hear of; all synchronous, before anything else happens. */
export interface DiskWatch {
  /** The bytes of a content are about to go away by a truncation. */
  truncating?(file: FileNode): void;
  /** A file has lost a name, or a descriptor of the agent. */
  lessReachable?(file: FileNode, how: 'renamed' | 'removed' | 'closed' | 'died', path?: string): void;
  /** The agent has opened a file. */
  opened?(file: FileNode): void;
  /** The agent has learnt that an open file held `content`, and how long it was. */
  looked?(file: FileNode, content: Content, sizeBytes: number): void;
  /** Bytes of `content` have reached the agent. */
  read?(file: FileNode, content: Content): void;
}

export interface SimDisk {
  append(path: string, text: Buffer | string): void;
  open(path: string, options?: { append?: boolean }): WriteHandle;
  rename(from: string, to: string): void;
  remove(path: string): void;
  link(from: string, to: string): void;
  symlink(target: string, path: string): void;
  /** Makes missing parents as well. `device` is that of the parent unless the directory is a mount point. */
  makeDirectory(path: string, device?: number): void;
  truncate(path: string): void;
  allowReading(path: string, readable: boolean): void;
  has(path: string): boolean;
  file(path: string): FileNode;
  /** Paths of all names of files and links. */
  paths(): string[];
  /** Every content that there ever was. */
  readonly contents: readonly Content[];
  readonly files: ReadonlySet<FileNode>;
  fileSystem(life: ProcessLife, faults?: ReadFaults): FileSystem;
}

const MAX_LINKS = 40;
const DEVICE = 0xfe00;
/** Less than any agent waits for the rest of a line. */
const QUIET_MS = 400;

/** `nowMs` is the wall clock, for times of modification; `monotonicMs` tells which of two things came first. */
export function simDisk(nowMs: () => number, watch: DiskWatch = {}, monotonicMs = nowMs): SimDisk {
  const numbers = new Map<number, ReturnType<typeof inodeNumbers>>();
  const numbersOf = (device: number): ReturnType<typeof inodeNumbers> => {
    const known = numbers.get(device) ?? inodeNumbers();
    numbers.set(device, known);
    return known;
  };
  const directoryNode = (device: number): DirectoryNode => ({
    kind: 'directory',
    device,
    number: numbersOf(device).take(),
    entries: new Map(),
  });
  const root = directoryNode(DEVICE);
  const contents: Content[] = [];
  const files = new Set<FileNode>();

  const newContent = (bornAs: string): Content => {
    const content: Content = {
      serial: contents.length,
      bornAs,
      bornMs: monotonicMs(),
      buffer: Buffer.alloc(0),
      size: 0,
      holeBytes: 0,
      quietCuts: [],
    };
    contents.push(content);
    return content;
  };

  /** The node at a path, following links in front of it; undefined when there is none. @throws ELOOP */
  const lookup = (path: string, followLast = true, links = 0): Node | undefined => {
    if (links > MAX_LINKS) throw errno('ELOOP', path);
    if (path === '/') return root;
    const parent = lookup(dirname(path), true, links);
    if (parent?.kind !== 'directory') return undefined;
    const node = parent.entries.get(basename(path));
    if (node?.kind !== 'link' || !followLast) return node;
    return lookup(node.target, true, links + 1);
  };
  const parentOf = (path: string): DirectoryNode => {
    const parent = lookup(dirname(path));
    if (parent?.kind !== 'directory') throw errno('ENOENT', path);
    return parent;
  };
  const fileAt = (path: string): FileNode => {
    const node = lookup(path);
    if (node?.kind !== 'file') throw errno('ENOENT', path);
    return node;
  };
  const freeIfUnused = (file: FileNode): void => {
    if (file.links > 0 || file.writers > 0 || file.readers > 0 || !files.delete(file)) return;
    numbersOf(file.device).free(file.number);
  };

  const makeDirectory = (path: string, device?: number): void => {
    if (lookup(path) !== undefined) return;
    makeDirectory(dirname(path));
    const parent = parentOf(path);
    parent.entries.set(basename(path), directoryNode(device ?? parent.device));
  };
  makeDirectory('/logs');

  const createOrFind = (path: string): FileNode => {
    const known = lookup(path);
    if (known?.kind === 'file') return known;
    const { device, entries } = parentOf(path);
    const file: FileNode = {
      kind: 'file',
      device,
      number: numbersOf(device).take(),
      content: newContent(path),
      modifiedMs: nowMs(),
      writtenMs: monotonicMs(),
      links: 1,
      writers: 0,
      readers: 0,
      readable: true,
    };
    entries.set(basename(path), file);
    files.add(file);
    return file;
  };

  const write = (file: FileNode, bytes: Buffer | string, at?: number): void => {
    const { content } = file;
    const endsInside = content.size > 0 && content.buffer[content.size - 1] !== 0x0a;
    if (endsInside && monotonicMs() - file.writtenMs >= QUIET_MS) content.quietCuts.push(content.size);
    append(content, Buffer.from(bytes), at);
    file.modifiedMs = nowMs();
    file.writtenMs = monotonicMs();
  };
  const truncateFile = (file: FileNode, path: string): void => {
    watch.truncating?.(file);
    file.content = newContent(path);
    file.modifiedMs = nowMs();
    file.writtenMs = monotonicMs();
  };
  const removeName = (path: string, how: 'renamed' | 'removed'): Node => {
    const { entries } = parentOf(path);
    const node = entries.get(basename(path));
    if (node === undefined) throw errno('ENOENT', path);
    const target = node.kind === 'link' ? lookup(path) : undefined;
    entries.delete(basename(path));
    if (target?.kind === 'file') watch.lessReachable?.(target, how, path);
    if (node.kind === 'file' && how === 'removed') {
      node.links -= 1;
      watch.lessReachable?.(node, how, path);
      freeIfUnused(node);
    }
    return node;
  };

  const paths = (): string[] => pathsBelow(root, '');

  return {
    contents,
    files,
    append: (path, text) => write(createOrFind(path), text),
    open: (path, { append: atEnd = true } = {}) => {
      const file = createOrFind(path);
      file.writers += 1;
      let at = atEnd ? undefined : file.content.size;
      let isOpen = true;
      return {
        file,
        write: (bytes) => {
          write(file, bytes, at);
          if (at !== undefined) at += bytes.length;
        },
        close: () => {
          if (!isOpen) return;
          isOpen = false;
          file.writers -= 1;
          freeIfUnused(file);
        },
      };
    },
    rename: (from, to) => {
      const node = lookup(from, false);
      if (node === undefined) throw errno('ENOENT', from);
      if (parentOf(to).entries.has(basename(to))) removeName(to, 'removed');
      removeName(from, 'renamed');
      parentOf(to).entries.set(basename(to), node);
      if (node.kind === 'file') watch.lessReachable?.(node, 'renamed', from);
    },
    remove: (path) => {
      removeName(path, 'removed');
    },
    link: (from, to) => {
      const file = fileAt(from);
      file.links += 1;
      parentOf(to).entries.set(basename(to), file);
    },
    symlink: (target, path) => {
      parentOf(path).entries.set(basename(path), { kind: 'link', target });
    },
    makeDirectory,
    truncate: (path) => truncateFile(fileAt(path), path),
    allowReading: (path, readable) => {
      fileAt(path).readable = readable;
    },
    has: (path) => lookup(path) !== undefined,
    file: fileAt,
    paths,
    fileSystem: (life, faults) => agentFileSystem({ lookup, paths, freeIfUnused, watch, life, faults }),
  };
}

function pathsBelow(directory: DirectoryNode, prefix: string): string[] {
  const paths: string[] = [];
  for (const [name, node] of directory.entries) {
    if (node.kind === 'directory') paths.push(...pathsBelow(node, `${prefix}/${name}`));
    else paths.push(`${prefix}/${name}`);
  }
  return paths;
}
