/** What the checkpoint journal says: its entries, one line each, and what they are about. */
import type { CodecName } from '../../shared/codec/codec.ts';
import type { Framing, LineEncoding } from '../../shared/framing/framing.ts';
import type { Keying } from '../../shared/framing/record-key.ts';

/** The first bytes of a file, hashed: tells a reused inode from the file that had it before. */
export interface Fingerprint {
  /** How many bytes from the start the hash covers; 0 for a file that was empty when seen. */
  bytes: number;
  hash: string;
  /** CRC-32C of the first 16, 32, 64, … 512 bytes, as far as there are so many: what a part of a copy is known by. */
  leads?: number[];
}

/** What was read in front of a position: if it is not there any more, the file has other content now. */
export interface Mark {
  at: number;
  /** How many bytes in front of `at` the checksum covers. */
  bytes: number;
  crc32c: number;
}

/** Why a file's inode does not hold its content any more: it was emptied, or belongs to another file. */
export type Displacement = 'emptied' | 'reused';

export interface FileState {
  /** Name of this incarnation in provenance: device, inode and a number that is never used twice in a pipeline. */
  id: string;
  /** Device and inode, see FileStat. */
  key: string;
  /** Birth time of the inode in ns since the epoch, where the file system has a trustworthy one. */
  bornNs?: number;
  path: string;
  fingerprint: Fingerprint;
  /** First byte that no intent and no skip covers; reading goes on here. */
  offset: number;
  /** The offset lies inside a record whose rest is to be passed over. */
  skipping: boolean;
  /** What was read, oldest first, thinned out towards the beginning; none in journals of older versions. */
  marks?: Mark[];
  /** How long it was when it was last seen with bytes that no intent covered for a while: so much is lost if it is emptied. */
  seenBytes?: number;
  /** Its content began when the inode was emptied: a writer that keeps its old offset leaves a hole in front of it. */
  afterTruncation?: boolean;
  /** Up to where the content before that was carried, or counted as lost; once that is settled. */
  settledBytes?: number;
  /** It is a copy that somebody made before emptying the original: nobody writes to it any more. */
  copy?: boolean;
  /** Set while its content is looked for elsewhere: `seenBytes` is how long it was when its inode was taken from it. */
  displaced?: { by: Displacement; seenBytes: number };
  /** Length of the record's rest behind the offset, with length-prefixed framing. Without it the framing is lost there. */
  restBytes?: number | undefined;
}

/** The number in the `id` of a FileState. */
export function fileNumber(id: string): number {
  return Number(id.slice(id.lastIndexOf('-') + 1));
}

export interface IntentRange {
  file: string;
  /** Byte range [start, end) of the file. */
  start: number;
  end: number;
  /** False when the last line of the range has no newline, or the last record was cut. */
  terminated: boolean;
  /** The rest of the last record, after `end`, is to be passed over. */
  skipRest: boolean;
  /** CRC-32C of the bytes; a rebuilt batch is only sent when they are still the same. */
  crc32c: number;
  /** CRC-32C of the last MARK_BYTES of a longer range; none in journals of older versions. */
  tail?: number;
  /** With length-prefixed framing: bytes of a record that was cut at `start`, and of one that is cut at `end`. */
  insideBytes?: number | undefined;
  restBytes?: number | undefined;
  /** With encoding `utf-16`: what the file's byte order mark says. */
  encoding?: LineEncoding | undefined;
}

/** How many bytes in front of a position a mark covers at most. */
export const MARK_BYTES = 1024;

/** All that is needed to build one record batch again, byte for byte, and to send it under the same identity. */
export interface Intent {
  n: number;
  partition: number;
  producerId: bigint;
  producerEpoch: number;
  baseSequence: number;
  records: number;
  timestampMs: number;
  codec: Exclude<CodecName, 'snappy'>;
  level: number | undefined;
  maxRecordBytes: number;
  oversize: 'truncate' | 'split' | 'drop';
  /** How bytes became records; not there for plain lines, which older journals know only. */
  framing?: Framing | undefined;
  /** Records with keys: the batch has only those of its ranges whose keys stand for the partition `slot`. */
  keying?: (Keying & { slot?: number }) | undefined;
  ranges: IntentRange[];
}

/** Where a pipeline's batches go. A batch without an answer may only be sent again to where it was sent before. */
export interface Target {
  clusterId: string;
  topic: string;
}

/** The last acknowledged batch of a partition: where to begin when it is read back, and how to know that it is still that log. */
export interface Reached {
  partition: number;
  offset: number;
  producerId: bigint;
  baseSequence: number;
}

/** The boot of the machine in which a journal was written, and whether all that was appended then is surely in it. */
export interface Life {
  /** The kernel's boot id; empty where it is not known. */
  boot: string;
  /** Each intent was on the disk before its batch went out, or the journal was closed as it should be. */
  sure: boolean;
}

/**
 * The journal may lack its last entries: the machine went down before they were on the disk, or the file is damaged.
 * Batches may have been sent that it does not know. Files with numbers from `nextFile` on are new to it.
 */
export interface Gap {
  nextFile: number;
}

export type Entry =
  | { t: 'journal'; version: 1; pipeline: string; topic: string }
  | { t: 'counters'; file: number; intent: number }
  /** Takes its number too: one entry, so that what a power cut leaves of a journal has both or none. */
  | ({ t: 'file' } & FileState)
  /** With a key, its content is in another inode now. */
  | { t: 'move'; id: string; path: string; key?: string; bornNs?: number; copy?: boolean }
  | { t: 'born'; id: string; bornNs: number }
  | { t: 'seen'; id: string; bytes: number }
  | { t: 'settled'; id: string; bytes: number }
  | { t: 'displaced'; id: string; by: Displacement; seenBytes: number }
  | { t: 'fingerprint'; id: string; fingerprint: Fingerprint }
  | { t: 'skip'; id: string; to: number; skipping: boolean; restBytes?: number | undefined }
  | { t: 'forget'; id: string }
  | { t: 'producer'; producerId: bigint; producerEpoch: number }
  | { t: 'sequences'; next: [partition: number, sequence: number][] }
  | ({ t: 'target' } & Target)
  /** Ends a gap. */
  | ({ t: 'life' } & Life)
  | ({ t: 'gap' } & Gap)
  | { t: 'time'; lastMs: number }
  | { t: 'reached'; batches: Reached[] }
  | ({ t: 'intent' } & Intent)
  /** Batches of the same ranges, of which one without the others would lose lines. */
  | { t: 'intents'; intents: Intent[] }
  | { t: 'commit'; n: number; offset: number }
  /** Intents that were never and will never be acknowledged as they stand, and what is sent in their place. */
  | { t: 'replace'; dropped: number[]; by: Intent[]; why: string };
