import type { Framing, LineEncoding } from '../../shared/framing/framing.ts';
import type { OversizePolicy } from '../../shared/wire/record-sink.ts';
import type { Allocate } from './fill.ts';

export interface ReadPosition {
  offset: number;
  /** The offset lies inside a record whose rest is to be passed over. */
  skipping: boolean;
  /** Length of the record's rest behind the offset, with length-prefixed framing. Skipping without it: the framing is lost. */
  restBytes?: number | undefined;
}

export interface ReadLimits {
  /** Bytes to ask for; the chunk is smaller, except when one record is longer. */
  chunkBytes: number;
  maxRecordBytes: number;
  oversize: OversizePolicy;
  framing: Framing;
  /** What lines are in, with the byte order of the file. */
  encoding: LineEncoding;
  /** Take what is there of a last record as all of it: nobody will complete it. */
  final: boolean;
  /** The file has had this size for so long that a record of several lines is complete with what is there. */
  quietAtBytes?: number | undefined;
  /** For what records are read into; memory of its own without it. */
  allocate?: Allocate;
}

/** Bytes [0, end) of `bytes` are records; reading goes on at `next`. */
export interface ReadRecords {
  kind: 'records';
  bytes: Uint8Array;
  end: number;
  /** Every record is there to its end, with its line break. */
  terminated: boolean;
  /** They are the beginning, or a further piece, of one record that is too long. */
  cut: boolean;
  encoding: LineEncoding;
  next: ReadPosition;
}

/** Bytes that cannot become records: a length that makes no sense and all behind it, or a record that ends too early. */
export type LossReason = 'bad-length' | 'incomplete-record';

export type ReadResult =
  | ReadRecords
  /** Bytes were passed over without a record; `dropped` when a record that is too long begins here. */
  | { kind: 'skip'; next: ReadPosition; dropped: boolean }
  | { kind: 'lost'; next: ReadPosition; reason: LossReason; message: string }
  /** Only the beginning of a record is there, this many bytes of it. */
  | { kind: 'partial'; bytes: number }
  | { kind: 'nothing' };
