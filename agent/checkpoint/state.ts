/**
 * What the agent must remember of one pipeline, as a fold over journal entries. The same `apply` runs on the live agent
 * and at recovery, so what is recovered is what was.
 */
import {
  type Entry,
  fileNumber,
  type FileState,
  type Gap,
  type Intent,
  type IntentRange,
  type Life,
  MARK_BYTES,
  type Reached,
  type Target,
} from './entries.ts';
import { advanceSequence } from './sequence.ts';

/** Marks that a file keeps. */
const MAX_MARKS = 8;

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
      if (file.seenBytes !== undefined && file.seenBytes <= file.offset) delete file.seenBytes;
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
      state.nextFile = Math.max(state.nextFile, fileNumber(file.id) + 1);
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
      delete file.seenBytes; // what is not in a copy was counted
      return;
    }
    case 'born': {
      const file = state.files.get(entry.id);
      if (file !== undefined) file.bornNs = entry.bornNs;
      return;
    }
    case 'seen': {
      const file = state.files.get(entry.id);
      if (file !== undefined) file.seenBytes = entry.bytes;
      return;
    }
    case 'settled': {
      const file = state.files.get(entry.id);
      if (file !== undefined) file.settledBytes = entry.bytes;
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
