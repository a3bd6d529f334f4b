const LINE_FEED = 0x0a;

export interface LineSplitter {
  /** Calls back for each line that ends in `bytes`, without its line feed. The bytes of a line are not kept. */
  push(bytes: Uint8Array): void;
  /** The bytes behind the last line feed. */
  rest(): Uint8Array;
  readonly restBytes: number;
}

export function createLineSplitter(onLine: (line: Uint8Array) => void): LineSplitter {
  /** The beginning of a line whose end has not come yet; pieces, because a line may be long and its pieces many. */
  let pieces: Uint8Array[] = [];
  let piecesBytes = 0;

  return {
    push(bytes) {
      let start = 0;
      for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
        const line = bytes.subarray(start, end);
        onLine(pieces.length === 0 ? line : Buffer.concat([...pieces, line]));
        if (pieces.length > 0) pieces = [];
        piecesBytes = 0;
        start = end + 1;
      }
      // A copy, because the caller may fill its buffer again.
      if (start === bytes.length) return;
      pieces.push(Uint8Array.from(bytes.subarray(start)));
      piecesBytes += bytes.length - start;
    },
    rest: () => Buffer.concat(pieces),
    get restBytes() {
      return piecesBytes;
    },
  };
}
