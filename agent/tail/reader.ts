/** Moves lines from files into the batcher, within the memory budget. */
import { messageOf } from '../../shared/errors.ts';
import type { Clock } from '../../shared/clock.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { Batcher } from '../batch/batcher.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { BudgetShare } from '../memory-budget.ts';
import { markBehind } from '../discover/mark.ts';
import { guardedFile } from './guarded-file.ts';
import { isFinal, type LogFile } from './log-file.ts';
import { readLines, type ReadLimits, type ReadResult } from './read-lines.ts';

const NEWLINE = 0x0a;

export interface ReaderOptions {
  batcher: Batcher;
  budget: BudgetShare;
  journal: Journal;
  /** Resolves when every batch that was handed over has its intent; false when some never will, because the agent stops. */
  published(): Promise<boolean>;
  maxRecordBytes(): number;
  oversize: ReadLimits['oversize'];
  partialLineTimeoutMs: number;
  /** Bytes were passed over; `records` of them began here. */
  onSkipped(bytes: number, records: number): void;
  /** A line was too long to be read whole, and was cut; those that are read whole are cut and counted by the encoder. */
  onCut(): void;
  clock: Clock;
  log: RepeatedLog;
  signal: AbortSignal;
}

export interface Reader {
  /** One chunk of one file, of at most `maxBytes` unless one line is longer. True when the position has moved. */
  readSome(file: LogFile, maxBytes?: number): Promise<boolean>;
}

export function createReader(options: ReaderOptions): Reader {
  const { batcher, budget, journal, clock, log, signal } = options;

  /** How much of `bytes` was taken; 0 when it is time to stop. */
  const take = async (bytes: number): Promise<number> => {
    if (budget.tryTake(bytes)) return bytes;
    await batcher.handOver(); // what we hold ourselves must be on its way before we wait
    const fewer = Math.min(bytes, budget.ownBytes); // for more, we might wait for other pipelines
    return (await budget.take(fewer, signal)) ? fewer : 0;
  };

  const skip = async (
    file: LogFile,
    { next, dropped }: Extract<ReadResult, { kind: 'skip' }>,
  ): Promise<boolean> => {
    // The journal's position only moves forward, so what was read before these bytes must have its intent first.
    await batcher.handOver();
    if (!(await options.published())) return false;
    journal.append({ t: 'skip', id: file.state.id, to: next.offset, skipping: next.skipping });
    options.onSkipped(next.offset - file.position.offset, dropped ? 1 : 0);
    file.position = next;
    file.mark = undefined;
    return true;
  };

  const readChunk = async (file: LogFile, chunkBytes: number): Promise<ReadResult> => {
    try {
      const guarded = guardedFile(file.handle, file.mark);
      const result = await readLines(guarded, file.position, {
        chunkBytes,
        maxRecordBytes: options.maxRecordBytes(),
        oversize: options.oversize,
        final: isFinal(file, clock.monotonicMs(), options.partialLineTimeoutMs),
      });
      if (await guarded.intact()) return result;
      file.changed = true;
      return { kind: 'nothing' };
    } catch (error) {
      const { path } = file.state;
      log.error(
        `read ${file.state.id}`,
        { path, offset: file.position.offset, err: error },
        `cannot read a log file: ${messageOf(error)}; trying again at the next look`,
      );
      return { kind: 'nothing' };
    }
  };

  /** Counts each line once, although a split one comes in many pieces and its last may look like a line to the encoder. */
  const countCut = (
    file: LogFile,
    { bytes, end, terminated }: Extract<ReadResult, { kind: 'lines' }>,
  ): void => {
    const cut = !terminated && bytes.length > end;
    if (cut && options.oversize === 'truncate') options.onCut();
    if (!cut && file.insideLongLine) {
      const newline = bytes.indexOf(NEWLINE);
      if ((newline === -1 ? end : newline) <= options.maxRecordBytes()) options.onCut();
    }
    file.insideLongLine = cut && options.oversize === 'split';
  };

  return {
    readSome: async (file, maxBytes = Infinity) => {
      const unreadBytes = file.sizeBytes - file.position.offset;
      const wantedBytes = Math.max(1, Math.min(batcher.roomBytes, unreadBytes, maxBytes));
      const chunkBytes = await take(wantedBytes);
      if (chunkBytes === 0) return false;
      const result = await readChunk(file, chunkBytes);
      if (result.kind === 'lines') {
        const { bytes, end, terminated, next } = result;
        const heldBytes = bytes.buffer.byteLength; // of a line that is longer than its chunk, all of it
        budget.give(chunkBytes - heldBytes);
        countCut(file, result);
        const mark = markBehind(bytes, end, next.offset); // before the bytes are given away
        batcher.add(file, { bytes, end, terminated, skipRest: next.skipping }, heldBytes);
        file.position = next;
        file.mark = mark;
        return true;
      }
      budget.give(chunkBytes);
      if (result.kind === 'skip') return skip(file, result);
      if (result.kind === 'partial') file.partialAtBytes = file.position.offset + result.bytes;
      else file.waits = true;
      return false;
    },
  };
}
