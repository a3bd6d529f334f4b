/**
 * How much text goes into a batch: up to the pipeline's `batchBytes`, and no more than the topic takes once it is compressed,
 * as far as the batches before can tell. A batch that is too large would be encoded once more, in halves.
 */
export interface BatchSize {
  readonly textBytes: number;
  /** What a batch of so much text comes to, or less. */
  batchBytes(textBytes: number): number;
  /** A batch was made of so much text. */
  note(textBytes: number, batchBytes: number): void;
}

/** What is aimed at, of what the topic takes: text is not the same all the time. */
const AIM = 0.8;
/** Of less text the header and the provenance are too large a part. */
const LEAST_NOTED_BYTES = 64 * 1024;
/** How much is believed of text that is compressed better than before. */
const BELIEF = 0.25;
/** How much larger than the ones before a batch may be. */
const SLACK = 1.1;

export function batchSize(batchBytes: number, maxMessageBytes: () => number): BatchSize {
  /** Compressed over raw, of the worst batch of late. */
  let share = 1;
  return {
    get textBytes() {
      return Math.max(1, Math.min(batchBytes, Math.floor((AIM * maxMessageBytes()) / share)));
    },
    batchBytes: (textBytes) => {
      // Of little text the provenance is a large part.
      const expected = textBytes < LEAST_NOTED_BYTES ? textBytes : textBytes * share * SLACK;
      return Math.min(maxMessageBytes(), Math.ceil(expected));
    },
    note: (textBytes, bytes) => {
      if (textBytes < LEAST_NOTED_BYTES) return;
      const seen = bytes / textBytes;
      share = seen > share ? seen : share + (seen - share) * BELIEF;
    },
  };
}
