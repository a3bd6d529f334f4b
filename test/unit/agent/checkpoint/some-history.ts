import * as fc from 'fast-check';
import type { Entry, FileState, Intent } from '../../../../agent/checkpoint/entries.ts';

/**
 * What can happen to an agent: files appear, are renamed, read on and forgotten; intents cover what follows their offset
 * and are committed or replaced. Picks choose among what is there at the time.
 */
type Step =
  | { kind: 'file'; path: string; hash: string; bytes: number; offset: number }
  | { kind: 'move'; pick: number; path: string }
  | { kind: 'fingerprint'; pick: number; bytes: number }
  | { kind: 'skip'; pick: number; bytes: number; skipping: boolean }
  | { kind: 'forget'; pick: number }
  | { kind: 'producer'; producerId: bigint; producerEpoch: number }
  | { kind: 'intent'; picks: number[]; partition: number; records: number; bytes: number; skipRest: boolean }
  | { kind: 'commit'; pick: number; offset: number }
  | { kind: 'replace'; pick: number; parts: number };

const pick = fc.nat({ max: 1000 });
const path = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('file' as const),
      path,
      hash: fc.string({ maxLength: 16 }),
      bytes: fc.nat(1024),
      offset: fc.nat(2 ** 40),
    }),
    fc.record({ kind: fc.constant('move' as const), pick, path }),
    fc.record({ kind: fc.constant('fingerprint' as const), pick, bytes: fc.nat(1024) }),
    fc.record({
      kind: fc.constant('skip' as const),
      pick,
      bytes: fc.integer({ min: 1, max: 9_999 }),
      skipping: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('forget' as const), pick }),
    fc.record({
      kind: fc.constant('producer' as const),
      producerId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
      producerEpoch: fc.nat(2 ** 15 - 1),
    }),
    fc.record({
      kind: fc.constant('intent' as const),
      picks: fc.array(pick, { minLength: 1, maxLength: 4 }),
      partition: fc.nat(5),
      records: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      bytes: fc.integer({ min: 1, max: 2 ** 20 }),
      skipRest: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('commit' as const), pick, offset: fc.nat(2 ** 40) }),
    fc.record({ kind: fc.constant('replace' as const), pick, parts: fc.nat(3) }),
  ),
  { maxLength: 60 },
);

/** Turns steps into journal entries, as an agent that starts with nothing would write them. */
export function historyOf(history: readonly Step[]): Entry[] {
  const entries: Entry[] = [];
  const files: FileState[] = [];
  const open: Intent[] = [];
  const sequences = new Map<number, number>();
  let producer: { producerId: bigint; producerEpoch: number } | undefined;
  let nextFile = 1;
  let nextIntent = 1;
  const chosen = <T>(list: readonly T[], n: number): T | undefined => list[n % Math.max(1, list.length)];

  for (const step of history) {
    switch (step.kind) {
      case 'file': {
        const fingerprint = { bytes: step.bytes, hash: step.hash };
        const key = `fd-${nextFile.toString(16)}`;
        const file = {
          id: `${key}-${nextFile}`,
          key,
          path: step.path,
          fingerprint,
          offset: step.offset,
          skipping: false,
        };
        nextFile += 1;
        files.push(file);
        entries.push({ t: 'file', ...file });
        break;
      }
      case 'move': {
        const file = chosen(files, step.pick);
        if (file !== undefined) entries.push({ t: 'move', id: file.id, path: step.path });
        break;
      }
      case 'fingerprint': {
        const file = chosen(files, step.pick);
        const fingerprint = { bytes: step.bytes, hash: String(step.bytes) };
        if (file !== undefined) entries.push({ t: 'fingerprint', id: file.id, fingerprint });
        break;
      }
      case 'skip': {
        const file = chosen(files, step.pick);
        if (file === undefined) break;
        file.offset += step.bytes;
        entries.push({ t: 'skip', id: file.id, to: file.offset, skipping: step.skipping });
        break;
      }
      case 'forget': {
        const file = chosen(files, step.pick);
        if (file === undefined) break;
        files.splice(files.indexOf(file), 1);
        entries.push({ t: 'forget', id: file.id });
        break;
      }
      case 'producer':
        producer = { producerId: step.producerId, producerEpoch: step.producerEpoch };
        sequences.clear();
        entries.push({ t: 'producer', ...producer });
        break;
      case 'intent': {
        if (producer === undefined || files.length === 0) break;
        const ranges = [...new Set(step.picks.map((n) => chosen(files, n)!))].map((file) => {
          const start = file.offset;
          file.offset += step.bytes;
          return {
            file: file.id,
            start,
            end: file.offset,
            terminated: !step.skipRest,
            skipRest: step.skipRest,
            crc32c: step.bytes,
          };
        });
        const baseSequence = sequences.get(step.partition) ?? 0;
        const intent: Intent = {
          n: nextIntent,
          partition: step.partition,
          ...producer,
          baseSequence,
          records: step.records,
          timestampMs: 1_700_000_000_000,
          codec: 'zstd',
          level: 1,
          maxRecordBytes: 1_024_000,
          oversize: 'split',
          ranges,
        };
        nextIntent += 1;
        sequences.set(step.partition, (baseSequence + step.records) % 2 ** 31);
        open.push(intent);
        entries.push({ t: 'intent', ...intent });
        break;
      }
      case 'commit': {
        const intent = chosen(open, step.pick);
        if (intent === undefined) break;
        open.splice(open.indexOf(intent), 1);
        entries.push({ t: 'commit', n: intent.n, offset: step.offset });
        break;
      }
      case 'replace': {
        const old = chosen(open, step.pick);
        if (old === undefined || producer === undefined) break;
        open.splice(open.indexOf(old), 1);
        producer = { producerId: producer.producerId + 1n, producerEpoch: 0 };
        sequences.clear();
        entries.push({ t: 'producer', ...producer });
        const by = Array.from({ length: step.parts }, (_, i): Intent => ({
          ...old,
          ...producer,
          n: (nextIntent += 1) - 1,
          baseSequence: i * old.records,
        }));
        if (by.length > 0) sequences.set(old.partition, by.length * old.records);
        open.push(...by);
        entries.push({ t: 'replace', dropped: [old.n], by, why: 'too-large' });
      }
    }
  }
  return entries;
}
