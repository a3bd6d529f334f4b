/**
 * What an earlier process left without an acknowledgement: built again byte for byte and sent first, under the identity
 * that it had, for as long as the broker can be trusted to know it. Otherwise the partition is asked.
 */
import { messageOf } from '../../shared/errors.ts';
import { type Intent, isSameTarget } from '../checkpoint/state.ts';
import { sealBatch } from '../../shared/wire/record-batch.ts';
import type { SealedBatch } from './partition-sender.ts';
import { readBack, type ReadBackOptions } from './read-back.ts';
import { type ReadBudget, readBudget } from './read-forward.ts';
import { reidentify, type ReidentifyOptions } from './reidentify.ts';
import type { TopicView } from './topic-view.ts';

/** What became of an open intent at the start. */
export type ReplayOutcome = 'resent' | 'found' | 'other-target' | 'source-gone' | 'unreadable';

export interface ResumeOptions extends ReadBackOptions, ReidentifyOptions {
  isStale(intent: Intent): Promise<boolean>;
  /** A partition for batches whose own is not there; undefined when the publisher stops first. */
  anotherPartition(): Promise<number | undefined>;
  onReplayed(outcome: ReplayOutcome, batches: number): void;
  submit(batch: SealedBatch): void;
}

/** Returns when all that can be sent again is on its way. */
export async function resume(options: ResumeOptions): Promise<void> {
  const { journal, topicWatch, logger, signal } = options;
  const open = [...journal.state.open.values()];
  if (open.length === 0) return;
  const view = await topicWatch.first(signal);
  if (view === undefined) return;
  const batches = await rebuildAll(open, options);
  if (isElsewhere(view, options)) await sendElsewhere(view, batches, options);
  else await sendAgain(batches, options);
  logger.info({ batches: open.length }, 'took up the batches that were on their way when the agent ended');
  await journal.flush();
}

/** Undefined stands for a batch whose bytes are gone. */
type Rebuilt = Map<Intent, SealedBatch | undefined>;

async function rebuildAll(open: readonly Intent[], options: ResumeOptions): Promise<Rebuilt> {
  const rebuilt: Rebuilt = new Map();
  for (const intent of open) {
    try {
      const built = await options.rebuild(intent, Infinity);
      const part = built?.parts[0];
      const isSame = part !== undefined && part.records === intent.records;
      if (isSame) sealBatch(part.batch, intent);
      const batch = isSame && { intent, bytes: part.batch, rawBytes: part.rawBytes, heldBytes: 0 };
      rebuilt.set(intent, batch || undefined);
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
  const batches = sendable(rebuilt, new Set(), options);
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
  for (const intents of byPartition([...rebuilt.keys()])) {
    const offsets = await lookFor(intents, rebuilt, budget, options);
    if (signal.aborted) return;
    for (const [n, offset] of offsets) {
      found.add(n);
      journal.append({ t: 'commit', n, offset });
    }
  }
  options.onReplayed('found', found.size);
  const batches = sendable(rebuilt, found, options);
  options.onReplayed('resent', batches.length);
  for (const batch of batches) options.submit(batch);
}

/** Asks the partition where the broker cannot tell, and where the bytes are gone: are they lost, or are they there? */
async function lookFor(
  intents: readonly Intent[],
  rebuilt: Rebuilt,
  budget: ReadBudget,
  options: ResumeOptions,
): Promise<Map<number, number>> {
  const { partition } = intents[0]!;
  const stale: Intent[] = [];
  for (const intent of intents) if (await options.isStale(intent)) stale.push(intent);
  const sought = stale.length > 0 ? intents : intents.filter((intent) => rebuilt.get(intent) === undefined);
  if (sought.length === 0) return new Map();
  const { found, shortfall } = await readBack(partition, sought, budget, options);
  if (shortfall !== undefined && !options.signal.aborted) {
    const unsure = stale.filter(({ n }) => !found.has(n));
    options.onReplaced(
      'identity-stale',
      unsure.reduce((sum, { records }) => sum + records, 0),
      0,
    );
  }
  return found;
}

/** The batches to send; those whose bytes are gone are closed as lost. */
function sendable(rebuilt: Rebuilt, found: ReadonlySet<number>, options: ResumeOptions): SealedBatch[] {
  const batches: SealedBatch[] = [];
  for (const [intent, batch] of rebuilt) {
    if (found.has(intent.n)) continue;
    if (batch !== undefined) {
      batches.push(batch);
      continue;
    }
    const lostBytes = intent.ranges.reduce((sum, range) => sum + range.end - range.start, 0);
    options.logger.error(
      { intent: intent.n, partition: intent.partition, ranges: intent.ranges },
      'the bytes of a batch that was not acknowledged are gone from its files; if the broker did not get it, they are lost',
    );
    options.journal.append({ t: 'replace', dropped: [intent.n], by: [], why: 'source-gone' });
    options.onReplaced('source-gone', 0, lostBytes);
    options.onReplayed('source-gone', 1);
  }
  return batches;
}

function byPartition(intents: readonly Intent[]): Intent[][] {
  const groups = new Map<number, Intent[]>();
  for (const intent of intents)
    groups.set(intent.partition, [...(groups.get(intent.partition) ?? []), intent]);
  return [...groups.values()];
}
