/** Formats in which rotated logs are archived; their bytes are no lines. */
interface Format {
  name: string;
  /** First bytes of every file, and after how many of them they are surely those of this format. */
  magic: readonly number[];
}

/** RFC 1952 (with its only method), RFC 8878, the .xz file format 1.2.1, and the header of bzip2. */
const FORMATS: readonly Format[] = [
  { name: 'gzip', magic: [0x1f, 0x8b, 0x08] },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((level) => ({
    name: 'bzip2',
    magic: [0x42, 0x5a, 0x68, 0x30 + level, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59],
  })),
];

/** The format that a file which begins with `head` is compressed in; `unsure` when the head is too short to tell. */
export function compressedFormat(head: Uint8Array): string | undefined {
  const fitting = FORMATS.filter(({ magic }) =>
    magic.every((byte, i) => i >= head.length || head[i] === byte),
  );
  const sure = fitting.find(({ magic }) => magic.length <= head.length);
  return sure?.name ?? (fitting.length > 0 && head.length > 0 ? 'unsure' : undefined);
}
