/** How many bytes more than were fetched decoding makes, learnt from what it made: none with a good codec, many without one. */
export interface Growth {
  /** What to expect of so many fetched bytes, beyond as many. */
  of(fetchedBytes: number): number;
  note(fetchedBytes: number, decodedBytes: number): void;
}

/** Before anything was decoded: text that zstd made small and that is stored as it is. */
const FIRST_FACTOR = 6;
/** A jump up counts at once, because memory is at stake; less is believed slowly. */
const BELIEF_IN_LESS = 0.05;

export function createGrowth(): Growth {
  let factor: number | undefined;
  return {
    of: (fetchedBytes) => Math.ceil(fetchedBytes * Math.max(0, (factor ?? FIRST_FACTOR) - 1)),
    note: (fetchedBytes, decodedBytes) => {
      if (fetchedBytes === 0) return;
      const seen = decodedBytes / fetchedBytes;
      const known = factor ?? seen;
      factor = seen > known ? seen : known + (seen - known) * BELIEF_IN_LESS;
    },
  };
}
