/**
 * What an earlier process left without an acknowledgement: built again byte for byte and sent first, under the identity
 * that it had, for as long as the broker can be trusted to know it. Otherwise the partition is asked.
 */
import { messageOf } from '../../shared/errors.ts';
import type { Intent } from '../checkpoint/entries.ts';
import { isSameTarget } from '../checkpoint/state.ts';
import { sealBatch } from '../../shared/wire/record-batch.ts';
import type { SealedBatch } from './partition-sender.ts';
import { findLostIntents, type LostIntentsOptions } from './lost-intents.ts';
import { readBack } from './read-back.ts';
import { type ReadBudget, readBudget } from './read-forward.ts';
import { rangesLeft, reidentify, type ReidentifyOptions } from './reidentify.ts';
import type { TopicView } from './topic-view.ts';

/** What became of an open intent at the start. */
export type ReplayOutcome = 'resent' | 'found' | 'other-target' | 'source-gone' | 'unreadable';

export interface ResumeOptions extends ReidentifyOptions, LostIntentsOptions {
  isStale(intent: Intent): Promise<boolean>;
  /** A partition for batches whose own is not there; undefined when the publisher stops first. */
  anotherPartition(): Promise<number | undefined>;
  onReplayed(outcome: ReplayOutcome, batches: number): void;
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

/** A batch as it was, or what is left of it: nothing, when all of its bytes are gone from their files. */
interface RebuiltBatch {
  whole: SealedBatch | undefined;
  rest: SealedBatch | undefined;
}

type Rebuilt = Map<Intent, RebuiltBatch>;

async function rebuildAll(open: readonly Intent[], options: ResumeOptions): Promise<Rebuilt> {
  const rebuilt: Rebuilt = new Map();
  for (const intent of open) {
    try {
      const whole = await rebuildOne(intent, options);
      const isSame = whole?.intent.records === intent.records;
      if (isSame) sealBatch(whole.bytes, intent);
      rebuilt.set(
        intent,
        isSame ? { whole, rest: undefined } : { whole: undefined, rest: await restOf(intent, options) },
      );
    } catch (error) {
      options.onReplayed('unreadable', 1);
      options.logger.error(
        { intent: intent.n, ranges: intent.ranges, err: error },
        `a batch that was not acknowledged cannot be read again: ${messageOf(error)}. It waits for the next start of ` +
          'the agent; let its user read the files',
      );
    }
  }
  return rebuilt;
}

/** With the count of records that it has now; without an identity. */
async function rebuildOne(intent: Intent, options: ResumeOptions): Promise<SealedBatch | undefined> {
  const built = await options.rebuild(intent, Infinity);
  const part = built?.parts[0];
  if (part === undefined || part.records === 0) return undefined;
  const { batch: bytes, rawBytes, records } = part;
  return { intent: { ...intent, records }, bytes, rawBytes, heldBytes: 0 };
}

/** The lines of those files of a batch that are still there. */
async function restOf(intent: Intent, options: ResumeOptions): Promise<SealedBatch | undefined> {
  const ranges = await rangesLeft(intent, options.rebuild);
  return ranges.length === 0 || ranges.length === intent.ranges.length
    ? undefined
    : rebuildOne({ ...intent, ranges }, options);
}

/** Whether the batches were sent to another topic or cluster than the pipeline's file names now. */
function isElsewhere({ topic, clusterId }: TopicView, { journal }: ResumeOptions): boolean {
  const { state } = journal;
  // A journal of an earlier version knows its topic, and not its cluster.
  if (state.target === undefined) return state.topic !== topic;
  return !isSameTarget(state.target, { topic, clusterId });
}

/** Another producer may have the identity there, and other lines the sequences. */
async function sendElsewhere(view: TopicView, rebuilt: Rebuilt, options: ResumeOptions): Promise<void> {
  const { journal } = options;
  const there = new Set(view.partitions.map(({ partition }) => partition));
  const batches = sendable(rebuilt, new Set(), options).map(({ batch }) => batch);
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

async function sendAgain(rebuilt: Rebuilt, options: ResumeOptions): Promise<void> {
  const { journal, signal } = options;
  const budget = readBudget();
  const found = new Set<number>();
  const unsure = new Set<number>();
  for (const intents of byPartition([...rebuilt.keys()])) {
    const looked = await lookFor(intents, rebuilt, budget, options);
    if (signal.aborted) return;
    for (const [n, offset] of looked.found) {
      found.add(n);
      journal.append({ t: 'commit', n, offset });
    }
    for (const n of looked.unsure) unsure.add(n);
  }
  options.onReplayed('found', found.size);
  const batches = sendable(rebuilt, found, options);
  const rests = batches.filter(({ isRest }) => isRest).map(({ batch }) => batch);
  const renewed = await asNewBatches(rests, unsure, options);
  if (renewed === undefined) return;
  options.onReplayed('resent', batches.length);
  // In their old order, each rest in the place of what it is left of.
  for (const { batch, isRest } of batches) options.submit(isRest ? renewed.shift()! : batch);
}

/** What is left of a batch is another batch, and needs an identity of its own. Undefined when the publisher stops first. */
async function asNewBatches(
  rests: readonly SealedBatch[],
  unsure: ReadonlySet<number>,
  options: ResumeOptions,
): Promise<SealedBatch[] | undefined> {
  if (rests.length === 0) return [];
  const renewed = await reidentify(rests, 'partly-gone', ({ intent }) => intent.partition, options);
  if (renewed === undefined) return undefined;
  const records = rests.reduce((sum, { intent }) => sum + (unsure.has(intent.n) ? intent.records : 0), 0);
  options.onReplaced('partly-gone', records, 0);
  await options.journal.flush();
  return renewed;
}

/** Asks the partition where the broker cannot tell, and where the bytes are gone: are they lost, or are they there? */
async function lookFor(
  intents: readonly Intent[],
  rebuilt: Rebuilt,
  budget: ReadBudget,
  options: ResumeOptions,
): Promise<{ found: Map<number, number>; unsure: number[] }> {
  const { partition } = intents[0]!;
  const stale: Intent[] = [];
  for (const intent of intents) if (await options.isStale(intent)) stale.push(intent);
  const sought =
    stale.length > 0 ? intents : intents.filter((intent) => rebuilt.get(intent)?.whole === undefined);
  if (sought.length === 0) return { found: new Map(), unsure: [] };
  const { found, shortfall } = await readBack(partition, sought, budget, options);
  if (shortfall !== undefined && !options.signal.aborted) {
    const resent = stale.filter((intent) => !found.has(intent.n) && rebuilt.get(intent)?.whole !== undefined);
    options.onReplaced(
      'identity-stale',
      resent.reduce((sum, { records }) => sum + records, 0),
      0,
    );
  }
  const unsure = shortfall === undefined ? [] : sought.map(({ n }) => n).filter((n) => !found.has(n));
  return { found, unsure };
}

interface Sendable {
  batch: SealedBatch;
  /** It is what is left of a batch whose other bytes are gone. */
  isRest: boolean;
}

/** The batches to send. Bytes that are gone are counted as lost, and batches of which nothing is left are closed. */
function sendable(rebuilt: Rebuilt, found: ReadonlySet<number>, options: ResumeOptions): Sendable[] {
  const batches: Sendable[] = [];
  for (const [intent, { whole, rest }] of rebuilt) {
    if (found.has(intent.n)) continue;
    if (whole !== undefined) {
      batches.push({ batch: whole, isRest: false });
      continue;
    }
    const left = new Set(rest?.intent.ranges);
    const gone = intent.ranges.filter((range) => !left.has(range));
    const lostBytes = gone.reduce((sum, range) => sum + range.end - range.start, 0);
    options.logger.error(
      { intent: intent.n, partition: intent.partition, ranges: gone },
      'the bytes of a batch that was not acknowledged are gone from its files; if the broker did not get it, they are lost',
    );
    options.onReplaced('source-gone', 0, lostBytes);
    options.onReplayed('source-gone', 1);
    if (rest !== undefined) batches.push({ batch: rest, isRest: true });
    else options.journal.append({ t: 'replace', dropped: [intent.n], by: [], why: 'source-gone' });
  }
  return batches;
}

function byPartition(intents: readonly Intent[]): Intent[][] {
  const groups = new Map<number, Intent[]>();
  for (const intent of intents)
    groups.set(intent.partition, [...(groups.get(intent.partition) ?? []), intent]);
  return [...groups.values()];
}
