/**
 * What an earlier process left without an acknowledgement: built again byte for byte and sent first, under the identity
 * that it had, for as long as the broker can be trusted to know it. Otherwise the partition is asked.
 */
import { isSameTarget } from '../checkpoint/state.ts';
import type { SealedBatch } from './partition-sender.ts';
import { findLostIntents, type LostIntentsOptions } from './lost-intents.ts';
import { decide, type Fates, type FatesOptions } from './fates.ts';
import { sayGone } from './gone-lines.ts';
import { groupsOf, isWhole, type OpenBatch, rebuildAll } from './open-batches.ts';
import { readBudget } from './read-forward.ts';
import { reidentify, type ReidentifyOptions } from './reidentify.ts';
import type { TopicView } from './topic-view.ts';

export interface ResumeOptions extends ReidentifyOptions, LostIntentsOptions, FatesOptions {
  /** A partition for batches whose own is not there; undefined when the publisher stops first. */
  anotherPartition(): Promise<number | undefined>;
  submit(batch: SealedBatch): void;
}

/** Returns when all that can be sent again is on its way. */
export async function resume(options: ResumeOptions): Promise<void> {
  const { journal, topicWatch, logger, signal } = options;
  if (journal.state.open.size === 0 && journal.state.gap === undefined) return;
  const view = await topicWatch.first(signal);
  if (view === undefined) return;
  const elsewhere = isElsewhere(view, options);
  if (journal.state.gap !== undefined) {
    if (elsewhere)
      journal.closeGap(); // what it may lack is in another topic
    else await findLostIntents(view, options);
  }
  const open = [...journal.state.open.values()];
  if (open.length === 0 || signal.aborted) return;
  const batches = await rebuildAll(open, options);
  if (elsewhere) await sendElsewhere(view, batches, options);
  else await sendAgain(batches, options);
  logger.info({ batches: open.length }, 'took up the batches that were on their way when the agent ended');
  await journal.flush();
}

/** Whether the batches were sent to another topic or cluster than the pipeline's file names now. */
function isElsewhere({ topic, clusterId }: TopicView, { journal }: ResumeOptions): boolean {
  const { state } = journal;
  // A journal of an earlier version knows its topic, and not its cluster.
  if (state.target === undefined) return state.topic !== topic;
  return !isSameTarget(state.target, { topic, clusterId });
}

/** Another producer may have the identity there, and other lines the sequences. */
async function sendElsewhere(
  view: TopicView,
  open: readonly OpenBatch[],
  options: ResumeOptions,
): Promise<void> {
  const { journal } = options;
  const there = new Set(view.partitions.map(({ partition }) => partition));
  const fates = { there: new Set<number>(), anew: new Set<number>() };
  const batches = sendable(open, fates, options).map(({ batch }) => batch);
  const leaveTheirs = batches.some(({ intent }) => !there.has(intent.partition));
  const another = leaveTheirs ? await options.anotherPartition() : -1;
  if (another === undefined) return;
  const records = batches.reduce((sum, { intent }) => sum + intent.records, 0);
  const partitionOf = ({ intent }: SealedBatch): number =>
    there.has(intent.partition) ? intent.partition : another;
  const replaced = await reidentify(batches, 'other-target', partitionOf, options);
  if (replaced === undefined) return;
  // After the new intents: a crash between the two gives them another identity once more, before they were sent.
  journal.append({ t: 'target', topic: view.topic, clusterId: view.clusterId });
  options.logger.warn(
    {
      topic: view.topic,
      clusterId: view.clusterId,
      was: journal.state.topic,
      batches: batches.length,
      records,
    },
    'the pipeline has another target: what had no acknowledgement goes to the new one, and may be in the old one too',
  );
  options.onReplaced('other-target', records, 0);
  options.onReplayed('other-target', batches.length);
  await journal.flush();
  for (const batch of replaced) options.submit(batch);
}

async function sendAgain(batches: readonly OpenBatch[], options: ResumeOptions): Promise<void> {
  const { signal } = options;
  const budget = readBudget();
  const fates: Fates = { there: new Set(), anew: new Set(), unsure: new Set() };
  for (const ofOne of groupsOf(batches, ({ partition }) => partition)) {
    await decide(ofOne, budget, fates, options);
    if (signal.aborted) return;
  }
  const sent = sendable(batches, fates, options);
  const anew = sent.filter(({ isAnew }) => isAnew).map(({ batch }) => batch);
  const renewed = await asNewBatches(anew, fates.unsure, options);
  if (renewed === undefined) return;
  options.onReplayed('resent', sent.length);
  // In their old order, each new one in the place of what it is left of.
  for (const { batch, isAnew } of sent) options.submit(isAnew ? renewed.shift()! : batch);
}

/** What is left of a batch is another batch, and needs an identity of its own. Undefined when the publisher stops first. */
async function asNewBatches(
  anew: readonly SealedBatch[],
  unsure: ReadonlySet<number>,
  options: ResumeOptions,
): Promise<SealedBatch[] | undefined> {
  if (anew.length === 0) return [];
  const renewed = await reidentify(anew, 'partly-gone', ({ intent }) => intent.partition, options);
  if (renewed === undefined) return undefined;
  const records = anew.reduce((sum, { intent }) => sum + (unsure.has(intent.n) ? intent.records : 0), 0);
  options.onReplaced('partly-gone', records, 0);
  await options.journal.flush();
  return renewed;
}

interface Sendable {
  batch: SealedBatch;
  /** It takes another identity. */
  isAnew: boolean;
}

/** The batches to send. Bytes that are gone are counted as lost, and batches of which nothing is left are closed. */
function sendable(
  batches: readonly OpenBatch[],
  fates: Pick<Fates, 'there' | 'anew'>,
  options: ResumeOptions,
): Sendable[] {
  const sent: Sendable[] = [];
  for (const open of batches) {
    const { intent, left, isUnreadable } = open;
    if (fates.there.has(intent.n) || isUnreadable) continue;
    if (left !== undefined) sent.push({ batch: left, isAnew: !isWhole(open) || fates.anew.has(intent.n) });
    else options.journal.append({ t: 'replace', dropped: [intent.n], by: [], why: 'source-gone' });
    const ranges = new Set(left?.intent.ranges);
    const gone = intent.ranges.filter((range) => !ranges.has(range));
    if (!isWhole(open)) sayGone(intent, gone, options);
  }
  return sent;
}
