import type { RowGroupFacts } from './parquet-row-group.ts';
import type { RecordView } from './record-view.ts';
import type { Refusal } from './refused-records.ts';

/** How records become bytes, for formats that write more of a record than its value. */
export interface RecordFormat {
  /** Why a record cannot be written, asked before anything of it is; undefined when it can. */
  refusalOf(record: RecordView): Refusal | undefined;
  /** For the records of one bucket. */
  openBucket(): BucketWriter;
}

export interface BucketWriter {
  /** A record that `refusalOf` was asked about last. */
  write(record: RecordView): void;
  /** Written so far, before compression. */
  readonly textBytes: number;
  /** Compressed, and a piece that an object can be put together from with others. */
  finish(): Promise<FinishedBucket>;
}

export interface FinishedBucket {
  /** In memory of their own. */
  bytes: Uint8Array;
  /** Before compression. */
  textBytes: number;
  /** With Parquet: what the footer needs to know. */
  rowGroup?: RowGroupFacts;
}

/** A frame is closed at so many; another of the same bucket follows. Only of hostile batches is there so much. */
export const MAX_FRAME_TEXT_BYTES = 64 * 1024 * 1024;

/**
 * A larger record is refused: as JSON its bytes can become six times as many, and a page of Parquet has room
 * for two gibibytes. Brokers take batches of 1 MiB by default.
 */
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

export function tooLarge(record: RecordView): Refusal | undefined {
  const keyBytes = record.keyEnd - record.keyStart;
  const valueBytes = record.valueEnd - record.valueStart;
  const bytes = keyBytes + valueBytes + record.headersEnd - record.headersStart;
  if (bytes <= MAX_RECORD_BYTES) return undefined;
  return { reason: 'RECORD_TOO_LARGE', message: `${bytes} bytes; the format takes ${MAX_RECORD_BYTES}` };
}
