import type { FetchedPartition } from '../../shared/kafka/requests/fetch.ts';
import { isSkaldError } from '../../shared/errors.ts';
import {
  type BatchHeader,
  type BatchSpan,
  readBatchHeader,
  readBatchOffsets,
  verifyBatch,
} from '../../shared/wire/record-batch.ts';
import { splitRecordSet } from '../../shared/wire/split-record-set.ts';
import { JOB_BYTES } from '../decode/decode-range.ts';
import type { EpochStart } from './leader-epochs.ts';

export interface TakenBatches {
  /** The batches to carry, whole and in order. */
  pieces: TakenPiece[];
  /** Where to fetch from next. Beyond `fetchOffset` also when all that came was markers or aborted. */
  nextOffset: number;
  /** A batch was there that begins at `endOffset` or behind: before it there is nothing more, if its offset is right. */
  isPastEnd: boolean;
  /** Where leaders changed, of all that was passed. */
  epochs: EpochStart[];
  /**
   * The offsets of a batch contradict those of the others, or of the fetch, or the epochs of leaders go back: the batch may be
   * wrong, or those before it.
   */
  isInDoubt: boolean;
}

/** Some of the batches, about JOB_BYTES of them. */
export interface TakenPiece {
  /** In an ArrayBuffer of their own. */
  bytes: Uint8Array;
  /** Exclusive. */
  endOffset: number;
}

/**
 * What of an answer is to be carried: not the markers of transactions, not the batches of aborted ones, and
 * nothing from `endOffset` on. The first batch may begin before `fetchOffset` and the last one may end after
 * `endOffset`: the decoder cuts them.
 *
 * The bytes are copied, so that the memory of the answer, which holds many partitions, can be used again. Only what is left out
 * is verified here: a batch whose header makes no sense is taken along for the decoder to judge, and the next offset is
 * then behind it, if it says where that is, or else the base offset of the batch after it.
 * @throws SkaldError WIRE_CORRUPT when the lengths make no sense from the first batch on
 */
export function takeBatches(
  answer: Pick<FetchedPartition, 'records' | 'abortedTransactions' | 'highWatermark'>,
  fetchOffset: number,
  endOffset = Number.MAX_SAFE_INTEGER,
): TakenBatches {
  const { records } = answer;
  const isAborted = abortedFilter(answer.abortedTransactions);
  const pieces: TakenPiece[] = [];
  let kept: BatchSpan[] = [];
  let keptBytes = 0;
  let nextOffset = fetchOffset;
  let isPastEnd = false;
  const epochs: EpochStart[] = [];
  let isInDoubt = false;

  const keep = (span: BatchSpan): void => {
    kept.push(span);
    keptBytes += span.end - span.start;
    if (keptBytes >= JOB_BYTES) closePiece();
  };
  const closePiece = (): void => {
    if (kept.length > 0) pieces.push({ bytes: copyOf(records, kept, keptBytes), endOffset: nextOffset });
    kept = [];
    keptBytes = 0;
  };

  for (const span of wholeBatches(records)) {
    if (nextOffset >= endOffset) break;
    // The first batch that reaches the offset may begin before it.
    const minOffset = nextOffset === fetchOffset ? 0 : nextOffset;
    const bounds = { minOffset, maxOffset: answer.highWatermark - 1 };
    const header = unlessRefused(() => readBatchHeader(records, span, bounds));
    const place = header ?? unlessRefused(() => readBatchOffsets(records, span, bounds));
    if (place === undefined) {
      isInDoubt = true;
      // One offset on is the least that makes progress; the base offset of the batch behind it corrects it.
      nextOffset += 1;
      keep(span);
      continue;
    }
    isPastEnd = place.baseOffset >= endOffset;
    if (isPastEnd) break;
    if (place.lastOffset < fetchOffset) {
      isInDoubt = true;
      continue;
    }
    nextOffset = Math.min(place.lastOffset + 1, endOffset);
    const epochBefore = epochs.at(-1)?.epoch ?? -1;
    if (header !== undefined && header.leaderEpoch !== epochBefore) {
      epochs.push({ epoch: header.leaderEpoch, offset: header.baseOffset });
      if (header.leaderEpoch < epochBefore) isInDoubt = true;
    }
    const hasNothing =
      header !== undefined && (isAborted(header) || header.isControl || header.recordCount === 0);
    // A turned bit makes any batch look as if it had nothing; the decoder gets it then, and refuses it.
    if (hasNothing && unlessRefused(() => verifyBatch(records, span)) !== undefined) continue;
    keep(span);
  }
  closePiece();
  return { pieces, nextOffset, isPastEnd, epochs, isInDoubt };
}

/** All batches up to the first length that makes no sense; with none before it, that is an error. */
function wholeBatches(records: Uint8Array): BatchSpan[] {
  try {
    return splitRecordSet(records).batches;
  } catch (error) {
    const lengthAt = isSkaldError(error, 'WIRE_CORRUPT') ? error.where['byte'] : undefined;
    if (typeof lengthAt !== 'number') throw error;
    const before = splitRecordSet(records.subarray(0, lengthAt)).batches;
    if (before.length === 0) throw error;
    return before;
  }
}

/** Undefined for a batch that says what it cannot, such as offsets that the broker does not have. */
function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isSkaldError(error)) return undefined;
    throw error;
  }
}

/**
 * Whether a batch belongs to an aborted transaction, asked for each batch in order. The broker lists the
 * aborted transactions that overlap the answer by producer and first offset; each ends with the producer's
 * next marker. As org.apache.kafka.clients.consumer.internals.CompletedFetch (KIP-98).
 */
function abortedFilter(aborted: FetchedPartition['abortedTransactions']): (header: BatchHeader) => boolean {
  const open = new Set<bigint>();
  const coming = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  return ({ producerId, lastOffset, isTransactional, isControl }) => {
    if (!isTransactional) return false;
    while (coming[0] !== undefined && coming[0].firstOffset <= lastOffset)
      open.add(coming.shift()!.producerId);
    if (isControl) open.delete(producerId);
    return open.has(producerId);
  };
}

function copyOf(records: Uint8Array, spans: readonly BatchSpan[], totalBytes: number): Uint8Array {
  const bytes = new Uint8Array(totalBytes);
  let at = 0;
  for (const { start, end } of spans) {
    bytes.set(records.subarray(start, end), at);
    at += end - start;
  }
  return bytes;
}
