/** What became of open batches: the partition says it where the broker has forgotten, and where bytes are gone. */
import type { Intent } from '../checkpoint/entries.ts';
import { type GoneLinesOptions, sayGone } from './gone-lines.ts';
import { groupsOf, isWhole, mergeBatches, type OpenBatch } from './open-batches.ts';
import { type OwnBatch, rangesOutside } from './own-batches.ts';
import { type ReadBack, readBack, type ReadBackOptions } from './read-back.ts';
import type { ReadBudget } from './read-forward.ts';
import type { Rebuild } from './reidentify.ts';
import { isContested, settle, type SettleOptions } from './settle.ts';

/** What became of open batches, by the numbers of their intents. */
export interface Fates {
  /** In the partition, as far as their lines are left. */
  there: Set<number>;
  /** Not in the partition: their lines go under another identity. */
  anew: Set<number>;
  /** Their lines may be in the partition, or come yet. */
  unsure: Set<number>;
}

export interface FatesOptions
  extends ReadBackOptions, GoneLinesOptions, Pick<SettleOptions, 'judge' | 'onTaken'> {
  rebuild: Rebuild;
  isStale(intent: Intent): Promise<boolean>;
}

/** Asks for the open batches of one partition, where the broker alone cannot tell, and adds what it learns to `fates`. */
export async function decide(
  batches: readonly OpenBatch[],
  budget: ReadBudget,
  fates: Fates,
  options: FatesOptions,
): Promise<void> {
  const { partition } = batches[0]!.intent;
  const stale: Intent[] = [];
  for (const { intent } of batches) if (await options.isStale(intent)) stale.push(intent);
  if (stale.length === 0 && batches.every(isWhole)) return;
  let readTo: number | undefined;
  const lookFor = async (open: readonly OpenBatch[]): Promise<ReadBack> => {
    const sought = open.map(({ intent, left }) => left?.intent ?? intent);
    const read = await readBack(partition, sought, budget, options, readTo);
    readTo = read.readTo ?? readTo;
    return read;
  };
  const onFound = ({ intent }: OpenBatch, there: OwnBatch): void => {
    fates.there.add(intent.n);
    closeFound(intent, there, options);
  };
  const onTaken: SettleOptions['onTaken'] = (batch, taken) => {
    fates.there.add(batch.intent.n);
    options.onReplayed('resent', 1);
    options.onTaken(batch, taken);
  };

  const { found, shortfall } = await lookFor(batches);
  if (options.signal.aborted) return;
  for (const batch of batches) {
    const there = found.get(batch.intent.n);
    if (there !== undefined) onFound(batch, there);
  }
  const open = batches.filter(({ intent }) => !found.has(intent.n));
  if (shortfall !== undefined) {
    for (const { intent } of open) fates.unsure.add(intent.n);
    const resent = open.filter((batch) => isWhole(batch) && stale.includes(batch.intent));
    const records = resent.reduce((sum, { intent }) => sum + intent.records, 0);
    options.onReplaced('identity-stale', records, 0);
    return;
  }
  const chains = groupsOf(open, ({ producerId }) => producerId);
  // What is in front of a contested one goes in front of its lines.
  for (const ofOne of chains.slice(0, chains.findLastIndex(isContested) + 1)) {
    const settled = await settle(ofOne, {
      ...options,
      lookFor,
      onFound,
      onTaken,
      merge: (some) => mergeBatches(some, options.rebuild),
    });
    if (options.signal.aborted) return;
    for (const { intent } of settled.missing) {
      fates.anew.add(intent.n);
      if (settled.mayCome) fates.unsure.add(intent.n);
    }
    // What has another identity was never sent: it waits until all before it has its acknowledgement.
    if (settled.missing.length > 0) return;
  }
}

/** What went out may have been a part of the batch, when the rest was gone already. */
function closeFound(intent: Intent, there: OwnBatch, options: FatesOptions): void {
  const { journal } = options;
  if (journal.state.open.has(intent.n)) {
    journal.append({ t: 'commit', n: intent.n, offset: there.offset });
    options.onReplayed('found', 1);
  }
  const gone = rangesOutside(intent, there);
  if (gone.length > 0) sayGone(intent, gone, options);
}
