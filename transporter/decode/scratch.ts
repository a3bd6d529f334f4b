import { freeBytes } from '../../shared/free-bytes.ts';

/** More than this and a batch size is misconfigured; a RecordBatch itself ends at 2 GiB. */
const MAX_SCRATCH_BYTES = 1024 * 1024 * 1024;
/** A larger one, from a single unusual batch, is given back to the system. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

let spare: Buffer | undefined;

/**
 * Working memory of at least `bytes` bytes, the one of the batch before where possible: fresh memory for each
 * batch costs a page fault every four kilobytes. Whoever takes it owns it until putBackScratch, so batches
 * that overlap never share.
 */
export function takeScratch(bytes: number): Buffer {
  const kept = spare;
  spare = undefined;
  if (kept !== undefined && kept.length >= bytes) return kept;
  if (kept !== undefined) freeBytes(kept);
  return allocate(bytes);
}

export function putBackScratch(scratch: Buffer): void {
  if (scratch.length > MAX_KEPT_BYTES) {
    freeBytes(scratch);
    return;
  }
  if (spare !== undefined) freeBytes(spare);
  spare = scratch;
}

/** A larger scratch with the first `usedBytes` of this one; at least `bytes` long. */
export function growScratch(scratch: Buffer, usedBytes: number, bytes: number): Buffer {
  const larger = allocate(Math.max(bytes, Math.min(2 * scratch.length, MAX_SCRATCH_BYTES)));
  scratch.copy(larger, 0, 0, usedBytes);
  freeBytes(scratch);
  return larger;
}

function allocate(bytes: number): Buffer {
  if (bytes > MAX_SCRATCH_BYTES) throw new RangeError(`a batch needs ${bytes} bytes of working memory`);
  return Buffer.allocUnsafeSlow(bytes);
}
