/** Which rows of a page have a value: 1 for one, 0 for null. */
export interface Levels {
  add(level: 0 | 1): void;
  readonly rows: number;
  /**
   * Runs of equal levels after their length, as a data page of version 1 wants them: four bytes of length, then
   * for each run its count shifted by one as an unsigned varint, and the level as a byte.
   * Source: github.com/apache/parquet-format, Encodings.md, RLE.
   */
  bytes(): Uint8Array;
}

export function createLevels(): Levels {
  /** Counts of runs, of alternating levels. */
  const runs: number[] = [];
  let first: 0 | 1 = 1;
  let last: 0 | 1 | undefined;
  let rows = 0;

  return {
    add: (level) => {
      rows += 1;
      if (level === last) {
        runs[runs.length - 1]! += 1;
        return;
      }
      if (last === undefined) first = level;
      last = level;
      runs.push(1);
    },
    get rows() {
      return rows;
    },
    bytes: () => {
      const encoded: number[] = [];
      for (const [index, run] of runs.entries()) {
        for (let rest = run * 2; ; rest = Math.floor(rest / 128)) {
          if (rest < 128) {
            encoded.push(rest);
            break;
          }
          encoded.push((rest % 128) + 128);
        }
        encoded.push(index % 2 === 0 ? first : 1 - first);
      }
      const bytes = Buffer.alloc(4 + encoded.length);
      bytes.writeUInt32LE(encoded.length, 0);
      bytes.set(encoded, 4);
      return bytes;
    },
  };
}
