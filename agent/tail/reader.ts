/** Moves records from files into the batcher, within the memory budget. */
import { ownBuffer } from '../../shared/codec/views.ts';
import { messageOf } from '../../shared/errors.ts';
import { isPlainLines } from '../../shared/framing/framing.ts';
import { crc32c } from '../../shared/wire/crc32c.ts';
import type { Clock } from '../../shared/clock.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { Batcher } from '../batch/batcher.ts';
import type { SharedBuffers } from '../../shared/shared-buffers.ts';
import { type Mark, MARK_BYTES } from '../checkpoint/entries.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { BudgetShare } from '../memory-budget.ts';
import { fits } from '../discover/fingerprint.ts';
import { markBehind } from '../discover/mark.ts';
import { guardedFile } from './guarded-file.ts';
import { isInHole } from './hole.ts';
import { isFinal, isLeft, isQuietFor, type OpenLogFile } from './log-file.ts';
import type { Allocate } from './fill.ts';
import { encodingOf, readRecords } from './read-records.ts';
import type { LossReason, ReadLimits, ReadPosition, ReadRecords, ReadResult } from './read-result.ts';

export interface ReaderOptions {
  batcher: Batcher;
  /** For what fills a batch; they are given back when it is encoded. */
  buffers: SharedBuffers;
  budget: BudgetShare;
  journal: Journal;
  /** Resolves when every batch that was handed over has its intent; false when some never will, because the agent stops. */
  published(): Promise<boolean>;
  maxRecordBytes(): number;
  oversize: ReadLimits['oversize'];
  framing: ReadLimits['framing'];
  partialLineTimeoutMs: number;
  /** A record of several lines is complete when nothing has followed for this long; undefined for other records. */
  recordTimeoutMs: number | undefined;
  /** Bytes were passed over; `records` of them began here. */
  onSkipped(bytes: number, records: number): void;
  /** A record was too long to be read whole, and was cut; those that are read whole are cut and counted by the encoder. */
  onCut(): void;
  /** Bytes that cannot become records were passed over. */
  onLost(bytes: number, reason: LossReason): void;
  clock: Clock;
  log: RepeatedLog;
  signal: AbortSignal;
}

export interface Reader {
  /** One chunk of one file, of at most `maxBytes` unless one line is longer. True when the position has moved. */
  readSome(file: OpenLogFile, maxBytes?: number): Promise<boolean>;
  /**
   * The same at once, for whole lines that were written a moment ago; undefined when it takes `readSome` to say what is
   * there.
   */
  readNow(file: OpenLogFile, maxBytes: number): boolean | undefined;
}

const NEWLINE = 0x0a;
/** More is read on other threads. */
const SHORT_READ_BYTES = 64 * 1024;

export function createReader(options: ReaderOptions): Reader {
  const { batcher, buffers, budget, journal, clock, log, signal } = options;

  /** How much of `bytes` was taken; 0 when it is time to stop. */
  const take = async (bytes: number): Promise<number> => {
    if (budget.tryTake(bytes)) return bytes;
    await batcher.handOver(); // what we hold ourselves must be on its way before we wait
    const fewer = Math.min(bytes, budget.ownBytes); // for more, we might wait for other pipelines
    return (await budget.take(fewer, signal)) ? fewer : 0;
  };

  /** Goes on at `next` without records; false when it is time to stop. */
  const passOver = async (file: OpenLogFile, next: ReadPosition): Promise<boolean> => {
    // The journal's position only moves forward, so what was read before these bytes must have its intent first.
    await batcher.handOver();
    if (!(await options.published())) return false;
    const { offset, ...rest } = next;
    journal.append({ t: 'skip', id: file.state.id, to: offset, ...rest });
    file.position = next;
    file.mark = undefined;
    return true;
  };

  const skip = async (file: OpenLogFile, { next, dropped }: Extract<ReadResult, { kind: 'skip' }>) => {
    const from = file.position.offset;
    if (!(await passOver(file, next))) return false;
    options.onSkipped(next.offset - from, dropped ? 1 : 0);
    return true;
  };

  const lose = async (file: OpenLogFile, lost: Extract<ReadResult, { kind: 'lost' }>) => {
    const from = file.position.offset;
    if (!(await passOver(file, lost.next))) return false;
    const bytes = lost.next.offset - from;
    options.onLost(bytes, lost.reason);
    const { path, id } = file.state;
    log.error(`${lost.reason} ${id}`, { path, from, to: lost.next.offset, bytes }, lost.message);
    return true;
  };

  const readChunk = async (
    file: OpenLogFile,
    chunkBytes: number,
    allocate: Allocate,
  ): Promise<ReadResult> => {
    try {
      const encoding = await encodingOf(file.handle, options.framing);
      const guarded = guardedFile(file.handle, file.mark);
      const result = await readRecords(guarded, file.position, {
        chunkBytes,
        maxRecordBytes: options.maxRecordBytes(),
        oversize: options.oversize,
        framing: options.framing,
        encoding,
        final: isFinal(file, clock.monotonicMs(), options.partialLineTimeoutMs),
        quietAtBytes: isQuietFor(file, options.recordTimeoutMs) ? file.sizeBytes : undefined,
        allocate,
      });
      // Before the first record there is no mark, but its first bytes may have been seen.
      const begins = file.mark !== undefined || (await fits(file.handle, file.state.fingerprint));
      if (!begins || !(await guarded.intact())) {
        file.changed = true;
        return { kind: 'nothing' };
      }
      file.certainBytes = Math.max(file.certainBytes, file.sizeBytes);
      // The next look passes it over.
      if (result.kind === 'records' && isInHole(file, options.framing, result.bytes))
        return { kind: 'nothing' };
      return result;
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

  /** Memory for one chunk. A record that is longer than it has memory of its own, and so has what the budget has no more room for. */
  const roomFor = (chunkBytes: number, takenBytes: number) => {
    const given: Buffer[] = [];
    const allocate: Allocate = (bytes) => {
      if (bytes > chunkBytes || buffers.sizeFor(bytes) > takenBytes) return ownBuffer(bytes);
      const buffer = buffers.take(bytes);
      given.push(buffer);
      return buffer;
    };
    /** Gives back all but that of `kept`; returns how much memory it takes. */
    const giveBackBut = (kept: Uint8Array | undefined): number => {
      let heldBytes = kept?.buffer.byteLength ?? 0;
      for (const buffer of given) {
        if (buffer.buffer === kept?.buffer && buffer.byteOffset === kept.byteOffset)
          heldBytes = buffers.sizeFor(buffer.length);
        else buffers.giveBack(buffer);
      }
      return heldBytes;
    };
    return { allocate, giveBackBut };
  };

  /** An intent says what a file is in where the configuration does not. */
  const isOrderPerFile = options.framing.type !== 'length-prefixed' && options.framing.encoding === 'utf-16';

  const add = (file: OpenLogFile, read: ReadRecords, heldBytes: number): void => {
    const { bytes, end, terminated, cut, next } = read;
    const { position, insideLongLine: continues } = file;
    if (cut && !continues) options.onCut();
    file.insideLongLine = cut && !next.skipping;
    const { restBytes: insideBytes } = position;
    const { skipping: skipRest, restBytes } = next;
    const encoding = isOrderPerFile ? read.encoding : undefined;
    const rest = { skipRest, continues, insideBytes, restBytes, encoding };
    const mark = markBehind(bytes, end, next.offset); // before the bytes are given away
    batcher.add(file, { bytes, end, terminated, ...rest }, heldBytes);
    file.position = next;
    file.mark = mark;
  };

  /** For what stands in front of the position. */
  const front = Buffer.alloc(MARK_BYTES);
  const isPlain = isPlainLines(options.framing);

  /** Fills `into` with what stands behind the mark, in one call; false when that is not there, or is not what it was. */
  const fillNow = (file: OpenLogFile, { at, bytes, crc32c: expected }: Mark, into: Buffer): boolean => {
    const count = file.handle.readBothNow(front.subarray(0, bytes), into, at - bytes);
    return count === bytes + into.length && crc32c(front, 0, bytes) === expected;
  };

  return {
    readNow: (file, maxBytes) => {
      const { mark, position, sizeBytes } = file;
      const { offset, skipping } = position;
      if (!isPlain || skipping || mark?.at !== offset || file.insideLongLine || isLeft(file))
        return undefined;
      const unreadBytes = sizeBytes - offset;
      const wantedBytes = Math.min(batcher.roomBytes, unreadBytes, maxBytes);
      if (wantedBytes < 1 || wantedBytes > SHORT_READ_BYTES || !budget.tryTake(wantedBytes)) return undefined;
      const bytes = buffers.take(wantedBytes);
      const isFilled = fillNow(file, mark, bytes);
      const end = isFilled ? bytes.lastIndexOf(NEWLINE) + 1 : 0;
      if (isFilled) file.certainBytes = Math.max(file.certainBytes, sizeBytes);
      if (end > 0) {
        const next = { offset: offset + end, skipping: false };
        const lines = {
          kind: 'records',
          bytes,
          end,
          terminated: true,
          cut: false,
          encoding: 'bytes',
          next,
        } as const;
        add(file, lines, wantedBytes);
      } else {
        buffers.giveBack(bytes);
        budget.give(wantedBytes);
      }
      // The beginning of a line is all that is left: there is nothing to read until it has grown.
      const isPartial =
        isFilled && wantedBytes === unreadBytes && wantedBytes - end < options.maxRecordBytes();
      if (isPartial && end < wantedBytes) {
        file.partialAtBytes = sizeBytes;
        file.partialForMs = undefined;
      }
      return end > 0 || (isPartial ? false : undefined);
    },

    readSome: async (file, maxBytes = Infinity) => {
      const unreadBytes = file.sizeBytes - file.position.offset;
      const wantedBytes = Math.max(1, Math.min(batcher.roomBytes, unreadBytes, maxBytes));
      const takenBytes = await take(buffers.sizeFor(wantedBytes));
      if (takenBytes === 0) return false;
      const chunkBytes = Math.min(wantedBytes, takenBytes);
      const wasQuiet = isQuietFor(file, options.recordTimeoutMs);
      const room = roomFor(chunkBytes, takenBytes);
      const result = await readChunk(file, chunkBytes, room.allocate);
      const heldBytes = room.giveBackBut(result.kind === 'records' ? result.bytes : undefined);
      if (result.kind === 'records') {
        budget.give(takenBytes - heldBytes);
        add(file, result, heldBytes);
        return true;
      }
      budget.give(takenBytes);
      if (result.kind === 'skip') return skip(file, result);
      if (result.kind === 'lost') return lose(file, result);
      if (result.kind === 'partial') {
        file.partialAtBytes = file.position.offset + result.bytes;
        file.partialForMs = wasQuiet ? undefined : options.recordTimeoutMs;
      } else file.waits = true;
      return false;
    },
  };
}
