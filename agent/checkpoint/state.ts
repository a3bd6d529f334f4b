/**
 * What the agent must remember of one pipeline, as a fold over journal entries. The same `apply` runs on the live agent
 * and at recovery, so what is recovered is what was.
 */
import type { CodecName } from '../../shared/codec/codec.ts';
import type { Framing, LineEncoding } from '../../shared/framing/framing.ts';
import type { Keying } from '../../shared/framing/record-key.ts';
import { advanceSequence } from './sequence.ts';

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
  /** Its content began when the inode was emptied: a writer that keeps its old offset leaves a hole in front of it. */
  afterTruncation?: boolean;
  /** It is a copy that somebody made before emptying the original: nobody writes to it any more. */
  copy?: boolean;
  /** Set while its content is looked for elsewhere: `seenBytes` is how long it was when its inode was taken from it. */
  displaced?: { by: Displacement; seenBytes: number };
  /** Length of the record's rest behind the offset, with length-prefixed framing. Without it the framing is lost there. */
  restBytes?: number | undefined;
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
/** Marks that a file keeps. */
const MAX_MARKS = 8;

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
  | ({ t: 'file' } & FileState)
  /** With a key, its content is in another inode now. */
  | { t: 'move'; id: string; path: string; key?: string; bornNs?: number; copy?: boolean }
  | { t: 'born'; id: string; bornNs: number }
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

export interface CheckpointState {
  pipeline: string;
  topic: string;
  /** Next free numbers. */
  nextFile: number;
  nextIntent: number;
  files: Map<string, FileState>;
  producer: { producerId: bigint; producerEpoch: number } | undefined;
  /** Next base sequence of each partition under `producer`. */
  sequences: Map<number, number>;
  /** Intents without a commit, in the order in which they were written. */
  open: Map<number, Intent>;
  /** Where the open intents were sent; undefined in a journal of a version that did not write it. */
  target: Target | undefined;
  /** By partition; nothing that is open was appended before it. */
  reached: Map<number, Reached>;
  /** Undefined in a journal of a version that did not write it. */
  life: Life | undefined;
  /** While there is one, `reached` and `lastMs` stay where the journal ended. */
  gap: Gap | undefined;
  /** Wall-clock time of the last intent, or of the beginning of a life without one. What is not written down is later. */
  lastMs: number;
}

export function emptyState(pipeline: string, topic: string): CheckpointState {
  return {
    pipeline,
    topic,
    nextFile: 1,
    nextIntent: 1,
    files: new Map(),
    producer: undefined,
    sequences: new Map(),
    open: new Map(),
    target: undefined,
    reached: new Map(),
    life: undefined,
    gap: undefined,
    lastMs: 0,
  };
}

/** Adds a mark; where there are too many, every other one of the older half goes, so that some of each age stay. */
function addMark(file: FileState, { start, end, crc32c, tail }: IntentRange): void {
  const short = end - start <= MARK_BYTES;
  const sum = short ? crc32c : tail;
  if (sum === undefined) return;
  const mark = { at: end, bytes: short ? end - start : MARK_BYTES, crc32c: sum };
  const marks = [...(file.marks ?? []), mark];
  file.marks = marks.length <= MAX_MARKS ? marks : marks.filter((_, i) => i >= MAX_MARKS / 2 || i % 2 === 0);
}

function applyIntent(state: CheckpointState, intent: Intent): void {
  state.open.set(intent.n, intent);
  if (state.gap === undefined) state.lastMs = intent.timestampMs;
  state.nextIntent = Math.max(state.nextIntent, intent.n + 1);
  if (state.producer?.producerId === intent.producerId) {
    state.sequences.set(intent.partition, advanceSequence(intent.baseSequence, intent.records));
  }
  for (const range of intent.ranges) {
    const file = state.files.get(range.file);
    if (file !== undefined && range.end >= file.offset) {
      if (range.end > file.offset) addMark(file, range);
      file.offset = range.end;
      file.skipping = range.skipRest;
      file.restBytes = range.restBytes;
    }
  }
}

export function isSameTarget(a: Target | undefined, b: Target): boolean {
  return a?.clusterId === b.clusterId && a.topic === b.topic;
}

function applyCommit(state: CheckpointState, n: number, offset: number): void {
  const intent = state.open.get(n);
  state.open.delete(n);
  if (intent === undefined || offset < 0 || state.gap !== undefined) return; // -1: the broker does not know it any more
  const { partition, producerId, baseSequence } = intent;
  // One that is older may have been appended too, although the broker said that it failed.
  const hasOlder = [...state.open.values()].some((other) => other.partition === partition && other.n < n);
  if (!hasOlder) state.reached.set(partition, { partition, offset, producerId, baseSequence });
}

/** Changes `state` by one entry. Entries about files that were forgotten meanwhile change nothing. */
export function apply(state: CheckpointState, entry: Entry): void {
  switch (entry.t) {
    case 'journal':
      state.topic = entry.topic;
      return;
    case 'counters':
      state.nextFile = Math.max(state.nextFile, entry.file);
      state.nextIntent = Math.max(state.nextIntent, entry.intent);
      return;
    case 'file': {
      const { t: _, ...file } = entry;
      state.files.set(file.id, file);
      return;
    }
    case 'move': {
      const file = state.files.get(entry.id);
      if (file === undefined) return;
      file.path = entry.path;
      if (entry.key === undefined) return;
      file.key = entry.key;
      if (entry.bornNs === undefined) delete file.bornNs;
      else file.bornNs = entry.bornNs;
      if (entry.copy === true) file.copy = true;
      delete file.displaced;
      return;
    }
    case 'born': {
      const file = state.files.get(entry.id);
      if (file !== undefined) file.bornNs = entry.bornNs;
      return;
    }
    case 'displaced': {
      const file = state.files.get(entry.id);
      if (file !== undefined) file.displaced = { by: entry.by, seenBytes: entry.seenBytes };
      return;
    }
    case 'fingerprint': {
      const file = state.files.get(entry.id);
      if (file !== undefined) file.fingerprint = entry.fingerprint;
      return;
    }
    case 'skip': {
      const file = state.files.get(entry.id);
      if (file !== undefined) {
        file.offset = entry.to;
        file.skipping = entry.skipping;
        file.restBytes = entry.restBytes;
      }
      return;
    }
    case 'forget':
      state.files.delete(entry.id);
      return;
    case 'producer':
      state.producer = { producerId: entry.producerId, producerEpoch: entry.producerEpoch };
      state.sequences = new Map();
      return;
    case 'sequences':
      state.sequences = new Map(entry.next);
      return;
    case 'intent': {
      const { t: _, ...intent } = entry;
      applyIntent(state, intent);
      return;
    }
    case 'intents':
      for (const intent of entry.intents) applyIntent(state, intent);
      return;
    case 'target': {
      const { t: _, ...target } = entry;
      if (!isSameTarget(state.target, target)) state.reached = new Map();
      state.target = target;
      state.topic = target.topic;
      return;
    }
    case 'life':
      state.life = { boot: entry.boot, sure: entry.sure };
      state.gap = undefined;
      return;
    case 'gap':
      state.gap = { nextFile: entry.nextFile };
      return;
    case 'time':
      state.lastMs = entry.lastMs;
      return;
    case 'reached':
      for (const reached of entry.batches) state.reached.set(reached.partition, reached);
      return;
    case 'commit':
      applyCommit(state, entry.n, entry.offset);
      return;
    case 'replace':
      for (const n of entry.dropped) state.open.delete(n);
      for (const intent of entry.by) applyIntent(state, intent);
  }
}

/** Whether an intent without a commit holds bytes of this file, which may then have to be read again. */
export function hasOpenIntent(state: Pick<CheckpointState, 'open'>, fileId: string): boolean {
  return [...state.open.values()].some((intent) => intent.ranges.some((range) => range.file === fileId));
}

/** Where the first byte of each file is that only an open intent speaks for. */
function startsOfOpenRanges(state: CheckpointState): Map<string, number> {
  const starts = new Map<string, number>();
  for (const intent of state.open.values()) {
    for (const { file, start } of intent.ranges) starts.set(file, Math.min(start, starts.get(file) ?? start));
  }
  return starts;
}

/**
 * A file as it was at `offset`. If what follows in the journal is damaged, the open intents are gone, and their lines have
 * to be read again.
 */
function before(file: FileState, offset: number | undefined): FileState {
  if (offset === undefined || offset >= file.offset) return file;
  const { restBytes: _, ...rest } = file;
  const marks = file.marks?.filter(({ at }) => at <= offset);
  return { ...rest, offset, skipping: false, ...(marks !== undefined && { marks }) };
}

/** Ids of all files of which an intent without a commit holds bytes; for who asks about many of them. */
export function filesOfOpenIntents(state: Pick<CheckpointState, 'open'>): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { ranges } of state.open.values()) for (const { file } of ranges) ids.add(file);
  return ids;
}

/** The fewest entries that give `state` again; what a compacted journal begins with. */
export function snapshot(state: CheckpointState): Entry[] {
  const entries: Entry[] = [
    { t: 'journal', version: 1, pipeline: state.pipeline, topic: state.topic },
    { t: 'counters', file: state.nextFile, intent: state.nextIntent },
  ];
  if (state.target !== undefined) entries.push({ t: 'target', ...state.target });
  if (state.producer !== undefined) entries.push({ t: 'producer', ...state.producer });
  const openFrom = startsOfOpenRanges(state);
  for (const file of state.files.values())
    entries.push({ t: 'file', ...before(file, openFrom.get(file.id)) });
  for (const intent of state.open.values()) entries.push({ t: 'intent', ...intent });
  for (const id of openFrom.keys()) {
    const file = state.files.get(id);
    if (file !== undefined) entries.push({ t: 'file', ...file });
  }
  if (state.reached.size > 0) entries.push({ t: 'reached', batches: [...state.reached.values()] });
  if (state.life !== undefined) entries.push({ t: 'life', ...state.life });
  if (state.gap !== undefined) entries.push({ t: 'gap', ...state.gap });
  if (state.lastMs > 0) entries.push({ t: 'time', lastMs: state.lastMs });
  // Last, because replaying an open intent moves its partition's sequence back to just after itself.
  entries.push({ t: 'sequences', next: [...state.sequences] });
  return entries;
}
