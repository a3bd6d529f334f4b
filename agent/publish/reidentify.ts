/**
 * Batches that cannot go on as they are get a new identity: the broker has forgotten the old one, one of them was
 * refused for good, or their partition is gone. A batch that was refused is built anew first; the others keep their bytes.
 * If it still has as many records, it stays in its place in the sequence instead. Brokers look at the size and the times of a
 * batch before they look whether they have it, so an earlier request of it may have been appended, or may yet be; they
 * take one batch for each place, and refuse or recognise the other. See docs/decisions/0013.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { BatchBuilder, Built } from '../batch/batch-builder.ts';
import type { EncodedPart } from '../batch/encode-batches.ts';
import type { Journal } from '../checkpoint/journal.ts';
import { advanceSequence } from '../checkpoint/sequence.ts';
import type { Intent } from '../checkpoint/entries.ts';
import { type HeldLines, heldLines } from './held-lines.ts';
import type { Decompress } from './own-batches.ts';
import type { IdentityLoss, SealedBatch } from './partition-sender.ts';
import { type BatchSettings, sealPart, settingsOf, type Unsealed } from './seal.ts';
import type { TopicWatch } from './topic-view.ts';

export type Rebuild = BatchBuilder['rebuild'];

/** Why batches were replaced: a window that could not go on, a pipeline with another target, or files without the bytes. */
export type ReplaceReason = IdentityLoss | 'other-target' | 'source-gone' | 'partly-gone' | 'lost-intents';

export interface ReidentifyOptions {
  journal: Journal;
  topicWatch: TopicWatch;
  newProducerId(): Promise<{ producerId: bigint; producerEpoch: number } | undefined>;
  rebuild: Rebuild;
  decompress: Decompress;
  /** The codec of new batches. */
  codec: Pick<BatchSettings, 'codec' | 'level'>;
  /** `records` may be in the topic twice now; `lostBytes` of files could not be built again. */
  onReplaced(why: ReplaceReason, records: number, lostBytes: number): void;
  /** These held bytes belong to no batch any more; negative when batches that took a refused one's place are larger. */
  onReleased(heldBytes: number): void;
  clock: Clock;
  logger: Logger;
}

/**
 * Returns what is sent in place of `batches`, in order, with its intents written; the old intents are closed in the same
 * journal entry. `partitionOf` says where each goes from here. Undefined when the agent stops before a new producer id
 * was to be had.
 */
export async function reidentify(
  batches: readonly SealedBatch[],
  why: Exclude<ReplaceReason, 'source-gone' | 'lost-intents'>,
  partitionOf: (batch: SealedBatch) => number,
  options: ReidentifyOptions,
): Promise<SealedBatch[] | undefined> {
  const { journal } = options;
  const fresh = batches.map((batch) => ({ next: unsealed(batch), partition: partitionOf(batch) }));
  const [refused] = batches;
  if ((why === 'too-large' || why === 'built-anew') && refused !== undefined) {
    const { partition } = fresh[0]!;
    const anew = await builtAnew(refused, why, options);
    if (sum(anew, ({ part }) => part.records) === refused.intent.records)
      return inPlaceOf(refused, anew, batches, why, options);
    fresh.splice(0, 1, ...anew.map((next) => ({ next, partition })));
  }
  const identity = await options.newProducerId();
  if (identity === undefined) return undefined;

  // Synchronous up to the end of the entries, so that no other batch takes a number or a sequence in between.
  journal.append({ t: 'producer', ...identity });
  const sequences = new Map<number, number>();
  let n = journal.state.nextIntent;
  const sealed: SealedBatch[] = [];
  for (const { next, partition } of fresh) {
    const baseSequence = sequences.get(partition) ?? 0;
    sealed.push(sealPart(next, { ...identity, partition, n, baseSequence }));
    n += 1;
    sequences.set(partition, advanceSequence(baseSequence, next.part.records));
  }
  writeDown(sealed, batches, why, options);
  return sealed;
}

/** The same places in the sequence, filled by `anew` where `refused` was, and by the others behind it as they were. */
function inPlaceOf(
  refused: SealedBatch,
  anew: readonly Unsealed[],
  batches: readonly SealedBatch[],
  why: string,
  options: ReidentifyOptions,
): SealedBatch[] {
  const { journal } = options;
  const { partition, producerId, producerEpoch } = refused.intent;
  const next = [...journal.state.sequences];
  let n = journal.state.nextIntent;
  let { baseSequence } = refused.intent;
  const sealed: SealedBatch[] = [];
  for (const one of anew) {
    sealed.push(sealPart(one, { partition, producerId, producerEpoch, n, baseSequence }));
    n += 1;
    baseSequence = advanceSequence(baseSequence, one.part.records);
  }
  for (const batch of batches.slice(1)) {
    sealed.push({ ...batch, intent: { ...batch.intent, n } }); // numbers tell the order at the next start
    n += 1;
  }
  writeDown(sealed, batches, why, options);
  journal.append({ t: 'sequences', next }); // one more may have been sealed meanwhile: it stays behind these
  return sealed;
}

/** In one entry: after a crash either the old ones go again or the new ones. */
function writeDown(
  sealed: readonly SealedBatch[],
  batches: readonly SealedBatch[],
  why: string,
  options: ReidentifyOptions,
): void {
  const dropped = batches.map(({ intent }) => intent.n);
  options.journal.append({ t: 'replace', dropped, by: sealed.map(({ intent }) => intent), why });
  options.onReleased(sum(batches, ({ heldBytes }) => heldBytes) - sum(sealed, ({ heldBytes }) => heldBytes));
}

function unsealed({ intent, bytes, rawBytes, heldBytes }: SealedBatch): Unsealed {
  const oversized = { records: 0, bytes: 0 }; // counted when it was encoded
  const slot = intent.keying?.slot;
  const keyed = slot !== undefined && { slot };
  const { records, ranges } = intent;
  const part: EncodedPart = { batch: bytes, records, rawBytes, oversized, ranges, ...keyed };
  return { part, settings: settingsOf(intent), heldBytes };
}

/** What takes the place of a refused batch: its lines, as far as its files or the batch itself still have them. */
async function builtAnew(
  refused: SealedBatch,
  why: 'too-large' | 'built-anew',
  options: ReidentifyOptions,
): Promise<Unsealed[]> {
  const { topicWatch, rebuild } = options;
  const { intent, bytes } = refused;
  if (why === 'too-large') {
    topicWatch.refused(bytes.length);
    await topicWatch.refresh();
  }
  const settings = why === 'too-large' ? {} : { timestampMs: options.clock.nowMs(), ...options.codec };
  const anew = { ...intent, ...settings };
  const whole = await rebuild(anew, topicWatch.maxMessageBytes);
  if (whole !== undefined) return unsealedParts(whole);
  const held = await heldLines(refused, options.decompress);
  const ranges = await rangesLeft(intent, rebuild, held);
  const rest =
    ranges.length === 0 ? undefined : await rebuild({ ...anew, ranges }, topicWatch.maxMessageBytes, held);
  if (rest === undefined || ranges.length < intent.ranges.length)
    sayGone(refused, why, rest === undefined ? [] : ranges, options);
  return rest === undefined ? [] : unsealedParts(rest);
}

/** Without those of which all records were too large, where the policy drops them. */
function unsealedParts({ parts, settings }: Built): Unsealed[] {
  const sent = parts.filter(({ records }) => records > 0);
  return sent.map((part) => ({ part, settings, heldBytes: part.batch.length }));
}

/** The ranges of an intent whose bytes are still in their files, or held in memory. */
export async function rangesLeft(
  intent: Intent,
  rebuild: Rebuild,
  held?: HeldLines,
): Promise<Intent['ranges']> {
  const left: Intent['ranges'] = [];
  for (const range of intent.ranges) {
    if ((await rebuild({ ...intent, ranges: [range] }, Infinity, held)) !== undefined) left.push(range);
  }
  return left;
}

function sayGone(
  { intent, rawBytes }: SealedBatch,
  why: 'too-large' | 'built-anew',
  left: Intent['ranges'],
  options: ReidentifyOptions,
): void {
  const gone = intent.ranges.filter((range) => !left.includes(range));
  options.logger.error(
    { intent: intent.n, partition: intent.partition, ranges: gone, why },
    'the broker refused a batch for good, and the bytes to build another one are gone from their files: they are lost',
  );
  const goneBytes = sum(gone, ({ start, end }) => end - start);
  // Of a keyed batch, whose ranges have records of other batches, too, no more is lost than it held.
  options.onReplaced('source-gone', 0, Math.min(rawBytes, goneBytes));
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
