/**
 * Batches whose identity is worth nothing any more get a new one. From here delivery of these batches is at least once:
 * the broker cannot say what it has of them. A batch that was refused as too large is first built anew in smaller ones.
 */
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { EncodedPart } from '../batch/encode-batches.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { Intent } from '../checkpoint/state.ts';
import type { IdentityLoss, SealedBatch } from './partition-sender.ts';
import { type BatchSettings, sealPart, settingsOf, type Unsealed } from './seal.ts';
import type { TopicWatch } from './topic-view.ts';

/** Builds an intent's records again from the files, none above `maxBatchBytes`; undefined when the bytes are gone. */
export type Rebuild = (
  intent: Intent,
  maxBatchBytes: number,
) => Promise<{ parts: EncodedPart[]; settings: BatchSettings } | undefined>;

export interface ReidentifyOptions {
  journal: Journal;
  topicWatch: TopicWatch;
  newProducerId(): Promise<{ producerId: bigint; producerEpoch: number } | undefined>;
  rebuild: Rebuild;
  /** `records` may be in the topic twice now; `lostBytes` of files could not be built again. */
  onReplaced(why: IdentityLoss | 'source-gone', records: number, lostBytes: number): void;
  /** These held bytes belong to no batch any more; negative when batches that took a refused one's place are larger. */
  onReleased(heldBytes: number): void;
  logger: Logger;
}

/**
 * Returns what is sent in place of `batches`, in order, with its intents written; the old intents are closed in the same
 * journal entry. Undefined when the agent stops before a new producer id was to be had.
 */
export async function reidentify(
  partition: number,
  loss: IdentityLoss,
  batches: readonly SealedBatch[],
  options: ReidentifyOptions,
): Promise<SealedBatch[] | undefined> {
  const { journal } = options;
  const identity = await options.newProducerId();
  if (identity === undefined) return undefined;
  const fresh = batches.map(unsealed);
  const [refused] = batches;
  if (loss === 'too-large' && refused !== undefined) fresh.splice(0, 1, ...(await smaller(refused, options)));

  // Synchronous up to the end of the entries, so that no other batch takes a number or a sequence in between.
  journal.append({ t: 'producer', ...identity });
  let n = journal.state.nextIntent;
  let baseSequence = 0;
  const sealed: SealedBatch[] = [];
  for (const next of fresh) {
    if (next.part.records === 0) continue; // all of its records were too large, and the policy drops them
    sealed.push(sealPart(next, { ...identity, partition, n, baseSequence }));
    n += 1;
    baseSequence += next.part.records;
  }
  const dropped = batches.map(({ intent }) => intent.n);
  journal.append({ t: 'replace', dropped, by: sealed.map(({ intent }) => intent), why: loss });

  options.onReleased(sum(batches, ({ heldBytes }) => heldBytes) - sum(sealed, ({ heldBytes }) => heldBytes));
  // A batch that was too large was not appended, and what was sent behind it was out of order.
  const unsure = loss === 'identity-lost' ? batches : [];
  options.onReplaced(
    loss,
    sum(unsure, ({ intent }) => intent.records),
    0,
  );
  await journal.flush();
  return sealed;
}

function unsealed({ intent, bytes, rawBytes, heldBytes }: SealedBatch): Unsealed {
  const ranges = intent.ranges.map(({ file: fileId, ...range }) => ({ fileId, ...range }));
  const oversized = { records: 0, bytes: 0 }; // counted when it was encoded
  const part: EncodedPart = { batch: bytes, records: intent.records, rawBytes, oversized, ranges };
  return { part, settings: settingsOf(intent), heldBytes };
}

async function smaller(refused: SealedBatch, options: ReidentifyOptions): Promise<Unsealed[]> {
  const { topicWatch, logger } = options;
  const { intent, bytes, rawBytes } = refused;
  topicWatch.refused(bytes.length);
  await topicWatch.refresh();
  const rebuilt = await options.rebuild(intent, topicWatch.maxMessageBytes);
  if (rebuilt === undefined) {
    logger.error(
      { intent: intent.n, partition: intent.partition, ranges: intent.ranges },
      'the broker refused a batch as too large, and the bytes to cut it smaller are gone from their files: they are lost',
    );
    options.onReplaced('source-gone', 0, rawBytes);
    return [];
  }
  const { parts, settings } = rebuilt;
  return parts.map((part) => ({ part, settings, heldBytes: part.batch.length }));
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
