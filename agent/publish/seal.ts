import { sealBatch } from '../../shared/wire/record-batch.ts';
import type { EncodedPart } from '../batch/encode-batches.ts';
import type { Intent } from '../checkpoint/entries.ts';
import type { SealedBatch } from './partition-sender.ts';

/** What a batch was built with; goes into its intent so that it can be built again. */
export type BatchSettings = Pick<
  Intent,
  'timestampMs' | 'codec' | 'level' | 'maxRecordBytes' | 'oversize' | 'framing' | 'keying'
>;

/** A part on its way to a partition, before it has an identity. */
export interface Unsealed {
  part: EncodedPart;
  settings: BatchSettings;
  /** What it holds of the memory budget. */
  heldBytes: number;
}

export function settingsOf({
  timestampMs,
  codec,
  level,
  maxRecordBytes,
  oversize,
  framing,
  keying,
}: BatchSettings): BatchSettings {
  return { timestampMs, codec, level, maxRecordBytes, oversize, framing, keying };
}

/** Writes the identity into the batch's bytes, and the intent that names it. */
export function sealPart(
  { part, settings, heldBytes }: Unsealed,
  identity: Pick<Intent, 'n' | 'partition' | 'producerId' | 'producerEpoch' | 'baseSequence'>,
): SealedBatch {
  sealBatch(part.batch, identity);
  const { slot, ranges, records } = part;
  const keying = settings.keying && { ...settings.keying, ...(slot !== undefined && { slot }) };
  const intent: Intent = { ...identity, ...settings, keying, records, ranges };
  return { intent, bytes: part.batch, rawBytes: part.rawBytes, heldBytes };
}
