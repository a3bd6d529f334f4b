/** Files, directories and symbolic links of a simulated disk, and the numbers that they have. */

/** What a file held between its creation, or a truncation, and its end: the unit in which delivery is judged. */
export interface Content {
  /** In the order of birth, over all files of a disk. */
  readonly serial: number;
  readonly bornAs: string;
  readonly bornMs: number;
  /** Everything that was ever written; what is beyond `size` is spare room. */
  buffer: Buffer;
  size: number;
  /** Bytes at its beginning that nobody wrote: its writer went on where it had been in the content before. */
  holeBytes: number;
  /** Lengths at which it ended inside a line for a while; see `Disk.quietMs`. */
  readonly quietCuts: number[];
}

export interface FileNode {
  readonly kind: 'file';
  readonly device: number;
  readonly number: number;
  content: Content;
  modifiedMs: number;
  writtenMs: number;
  links: number;
  /** Open descriptors: those of applications and those of the agent. */
  writers: number;
  readers: number;
  readable: boolean;
}

export interface DirectoryNode {
  readonly kind: 'directory';
  readonly device: number;
  readonly number: number;
  readonly entries: Map<string, Node>;
}

export interface LinkNode {
  readonly kind: 'link';
  readonly target: string;
}

export type Node = FileNode | DirectoryNode | LinkNode;

export function errno(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

/** Inode numbers of one device. The least free one is taken first, so that numbers are used again at once, as ext4 does. */
export function inodeNumbers(): { take(): number; free(number: number): void } {
  const free: number[] = [];
  let next = 1;
  return {
    take: () => {
      if (free.length === 0) return next++;
      free.sort((a, b) => a - b);
      return free.shift()!;
    },
    free: (number) => free.push(number),
  };
}

export function append(content: Content, bytes: Buffer, at = content.size): void {
  const end = at + bytes.length;
  if (content.size === 0) content.holeBytes = at;
  if (end > content.buffer.length) {
    const larger = Buffer.alloc(Math.max(256, end * 2)); // zeros: what a hole reads as
    content.buffer.copy(larger, 0, 0, content.size);
    content.buffer = larger;
  }
  bytes.copy(content.buffer, at);
  content.size = Math.max(content.size, end);
}
