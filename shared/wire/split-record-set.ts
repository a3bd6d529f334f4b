import { bufferView } from '../codec/views.ts';
import { BATCH_LENGTH_AT, type BatchSpan, LENGTH_PREFIX_BYTES } from './record-batch.ts';
import { wireCorrupt } from './wire-corrupt.ts';

// The smallest message of any format: the CRC, magic, attributes and two lengths of magic 0.
const MIN_BATCH_LENGTH = 14;

export interface RecordSetSplit {
  batches: BatchSpan[];
  /** Bytes after the last whole batch: the start of one that did not fit into the answer, which is normal. */
  trailingBytes: number;
  /** The whole size that the cut-off batch claims, when enough of it is there to say. */
  trailingBatchBytes: number | undefined;
}

/**
 * The whole batches of a fetched record set, as positions. Only the lengths are read; a damaged length makes
 * the rest look cut off, or is refused by verifyBatch. A broker never cuts off the first batch of an answer
 * since Fetch v3 (KIP-74), so an answer that has no whole batch but trailing bytes is damaged, or came from a
 * request whose limits are no longer those. Throws WIRE_CORRUPT for a length that no batch can have.
 */
export function splitRecordSet(bytes: Uint8Array): RecordSetSplit {
  const buffer = bufferView(bytes);
  const batches: BatchSpan[] = [];
  let start = 0;
  while (buffer.length - start >= LENGTH_PREFIX_BYTES) {
    const length = buffer.readInt32BE(start + BATCH_LENGTH_AT);
    if (length < MIN_BATCH_LENGTH) {
      throw wireCorrupt(start + BATCH_LENGTH_AT, `a batch length of at least ${MIN_BATCH_LENGTH}`);
    }
    const end = start + LENGTH_PREFIX_BYTES + length;
    if (end > buffer.length) {
      return { batches, trailingBytes: buffer.length - start, trailingBatchBytes: end - start };
    }
    batches.push({ start, end });
    start = end;
  }
  return { batches, trailingBytes: buffer.length - start, trailingBatchBytes: undefined };
}
