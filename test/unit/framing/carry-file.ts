/** A growing file, carried as the agent carries it: read in chunks, encoded in batches, with crashes in between. */
import { encodeBatches, type EncodedPart, type JobSegment } from '../../../agent/batch/encode-batches.ts';
import { rebuildIntent } from '../../../agent/checkpoint/rebuild.ts';
import type { FileState, Intent } from '../../../agent/checkpoint/entries.ts';
import { apply, emptyState } from '../../../agent/checkpoint/state.ts';
import { encodingOf, readRecords } from '../../../agent/tail/read-records.ts';
import type { ReadPosition } from '../../../agent/tail/read-result.ts';
import { type Framing, isPlainLines } from '../../../shared/framing/framing.ts';
import { decodeRecords } from '../../../shared/wire/decode-records.ts';
import { memoryFile } from '../agent/memory-file.ts';
import type { Limits } from './reference.ts';

export interface CarryOptions extends Limits {
  framing: Framing;
  maxBatchBytes: number;
  chunkBytes: number;
  /** Sizes of the pieces in which the file is written; the rest comes as one. */
  writes: readonly number[];
  /** Whether the agent dies after the n-th batch was written down, and starts again with what it wrote. */
  crashes: readonly boolean[];
}

/** Everything that arrives, and what was said of it. */
export interface Carried {
  values: Buffer[];
  oversized: number;
  lost: [bytes: number, reason: string][];
  replacedUnits: number;
  /** Ranges of the file in records or passed over, in the order in which they were written down. */
  ranges: [start: number, end: number][];
}

const FILE_ID = 'f-1';

export async function carryFile(content: Buffer, options: CarryOptions): Promise<Carried> {
  const { framing, maxRecordBytes, oversize, chunkBytes } = options;
  const file = memoryFile('');
  const state = emptyState('p', 't');
  const first: FileState = {
    id: FILE_ID,
    key: 'k',
    path: '/f',
    fingerprint: { bytes: 0, hash: '' },
    offset: 0,
    skipping: false,
  };
  apply(state, { t: 'file', ...first });
  const carried: Carried = { values: [], oversized: 0, lost: [], replacedUnits: 0, ranges: [] };
  let batches = 0;
  let position: ReadPosition = { offset: 0, skipping: false };
  let isInsideLong = false;

  const remembered = (): ReadPosition => {
    const { offset, skipping, restBytes } = state.files.get(FILE_ID)!;
    return { offset, skipping, restBytes };
  };
  const encode = (segments: JobSegment[], maxBatchBytes: number) =>
    encodeBatches({
      segments,
      maxBatchBytes,
      options: { codec: 'none', timestampMs: 0, host: 'h', pipeline: 'p', maxRecordBytes, oversize, framing },
    });

  const writeDown = (part: EncodedPart): Intent => {
    const { ranges } = part;
    const n = state.nextIntent;
    const identity = { n, partition: 0, producerId: 1n, producerEpoch: 0, baseSequence: 0 };
    const settings = { timestampMs: 0, codec: 'none', level: undefined, maxRecordBytes, oversize } as const;
    const kept = isPlainLines(framing) ? {} : { framing };
    const intent: Intent = { ...identity, ...settings, ...kept, records: part.records, ranges };
    // As it comes out of the journal.
    const text = JSON.stringify(intent, (_key, value: unknown) =>
      typeof value === 'bigint' ? Number(value) : value,
    );
    apply(state, { t: 'intent', ...JSON.parse(text) });
    return state.open.get(n)!;
  };

  /** True when the agent died; what it had read and not written down is read again. */
  const publish = async (segments: JobSegment[]): Promise<boolean> => {
    for (const part of await encode(segments, options.maxBatchBytes)) {
      const intent = writeDown(part);
      carried.ranges.push(...part.ranges.map(({ start, end }): [number, number] => [start, end]));
      carried.oversized += part.oversized.records;
      carried.replacedUnits += part.replacedUnits ?? 0;
      carried.values.push(...(await valuesOf(part)));
      const isDead = options.crashes[batches++] ?? false;
      if (!isDead) continue;
      const rebuilt = await rebuildIntent(intent, () => Promise.resolve(file));
      const [again, ...more] = await encode(rebuilt!, Infinity);
      if (more.length > 0 || !Buffer.from(again!.batch).equals(part.batch)) throw new Error('another batch');
      position = remembered();
      isInsideLong = false;
      return true;
    }
    return false;
  };

  const readOn = async (final: boolean): Promise<void> => {
    for (let reads = 0; reads < 100_000; reads += 1) {
      const encoding = await encodingOf(file, framing);
      const read = await readRecords(file, position, {
        chunkBytes,
        maxRecordBytes,
        oversize,
        framing,
        encoding,
        final,
      });
      if (read.kind === 'nothing' || read.kind === 'partial') return;
      if (read.next.offset <= position.offset) throw new Error(`no progress at ${position.offset}`);
      const { offset: fileOffset, restBytes: insideBytes } = position;
      const { next } = read;
      position = next;
      if (read.kind === 'records') {
        const { bytes, end, terminated, cut } = read;
        if (cut && !isInsideLong) carried.oversized += 1;
        const rest = {
          skipRest: next.skipping,
          restBytes: next.restBytes,
          insideBytes,
          continues: isInsideLong,
        };
        isInsideLong = cut && !next.skipping;
        await publish([{ bytes, start: 0, end, terminated, fileId: FILE_ID, fileOffset, encoding, ...rest }]);
      } else {
        carried.ranges.push([fileOffset, next.offset]);
        if (read.kind === 'lost') carried.lost.push([next.offset - fileOffset, read.reason]);
        else if (read.dropped) carried.oversized += 1;
        apply(state, {
          t: 'skip',
          id: FILE_ID,
          to: next.offset,
          skipping: next.skipping,
          restBytes: next.restBytes,
        });
      }
    }
    throw new Error('reads for ever');
  };

  for (const size of options.writes) {
    file.bytes = content.subarray(0, Math.min(content.length, file.bytes.length + size));
    await readOn(false);
  }
  file.bytes = content;
  await readOn(false);
  await readOn(true);
  return carried;
}

async function valuesOf({ batch }: EncodedPart): Promise<Buffer[]> {
  if (batch.length === 0) return [];
  const { records } = await decodeRecords(batch, { maxOutputBytes: 1 << 24 });
  return records.map((record) => Buffer.from(record.value!));
}
