import type { FileStat, OpenFile } from '../../../agent/discover/file-system.ts';

export interface MemoryFile extends OpenFile {
  bytes: Buffer;
  /** Most bytes that one read gives; a file system may give fewer than were asked for (read(2)). */
  readsAtMost: number;
  /** The next read fails with this code. */
  failsWith: string | undefined;
  reads: { position: number; length: number }[];
  closed: number;
}

/** An open file in memory whose reads a test can shorten and break. */
export function memoryFile(content: Buffer | string): MemoryFile {
  const file: MemoryFile = {
    bytes: Buffer.from(content),
    readsAtMost: Infinity,
    failsWith: undefined,
    reads: [],
    closed: 0,
    stat: () =>
      Promise.resolve<FileStat>({
        key: 'fd-1',
        sizeBytes: file.bytes.length,
        modifiedMs: 0,
        isFile: true,
        isDirectory: false,
        links: 1,
      }),
    read: async (into, at, length, position) => {
      await Promise.resolve();
      file.reads.push({ position, length });
      if (file.failsWith !== undefined) {
        throw Object.assign(new Error(`${file.failsWith}: read`), { code: file.failsWith });
      }
      const part = file.bytes.subarray(position, position + Math.min(length, file.readsAtMost));
      into.set(part, at);
      return part.length;
    },
    readBoth: async (first, second, position) => {
      const both = Buffer.alloc(first.length + second.length);
      const count = await file.read(both, 0, both.length, position);
      first.set(both.subarray(0, Math.min(count, first.length)));
      second.set(both.subarray(first.length, Math.max(count, first.length)));
      return count;
    },
    growthNow: () => undefined,
    readBothNow: () => undefined,
    close: () => {
      file.closed += 1;
      return Promise.resolve();
    },
  };
  return file;
}
