/** What becomes of a window that cannot go on as it is: what is there already is acknowledged, the rest is replaced. */
import type { IdentityLoss, SealedBatch } from './partition-sender.ts';
import { readBack, type ReadBackOptions } from './read-back.ts';
import { readBudget } from './read-forward.ts';
import { reidentify, type ReidentifyOptions } from './reidentify.ts';

export interface ReplaceWindowOptions extends ReadBackOptions, ReidentifyOptions {
  /** For batches whose own partition is gone; undefined when the publisher stops first. */
  anotherPartition(): Promise<number | undefined>;
  /** The partition has this batch. */
  onFound(batch: SealedBatch, offset: number): void;
}

export interface ReplacedWindow {
  /** Where the batches go from here. */
  partition: number;
  batches: readonly SealedBatch[];
}

/** Returns a function that replaces a window's batches, in order; undefined when the publisher stops first. */
export function windowReplacer(
  options: ReplaceWindowOptions,
): (
  partition: number,
  loss: IdentityLoss,
  batches: readonly SealedBatch[],
) => Promise<ReplacedWindow | undefined> {
  const { journal, signal } = options;
  /** How far partitions were read back. What is sent later is not before it, in the same log. */
  const readTo = new Map<number, number>();

  /** Reads the partition back. Of the `rest`, `unsure` records may be there all the same. */
  const notThere = async (
    partition: number,
    batches: readonly SealedBatch[],
  ): Promise<{ rest: readonly SealedBatch[]; unsure: number }> => {
    const intents = batches.map(({ intent }) => intent);
    const before = readTo.get(partition);
    const { found, shortfall, ...read } = await readBack(partition, intents, readBudget(), options, before);
    if (signal.aborted) return { rest: batches, unsure: 0 };
    if (read.readTo !== undefined) readTo.set(partition, read.readTo);
    const rest: SealedBatch[] = [];
    for (const batch of batches) {
      const there = found.get(batch.intent.n);
      if (there === undefined) rest.push(batch);
      else options.onFound(batch, there.offset);
    }
    const records = rest.reduce((sum, { intent }) => sum + intent.records, 0);
    return { rest, unsure: shortfall === undefined ? 0 : records };
  };

  return async (partition, loss, batches) => {
    const place = loss === 'partition-gone' ? await options.anotherPartition() : partition;
    if (place === undefined) return undefined;
    // Of a batch that was refused the broker has nothing, and what was sent behind it was out of order. What a
    // partition held that is gone is gone with it. Where the broker knows no more than that, the partition is read.
    const unknown = loss === 'identity-lost' || loss === 'identity-stale';
    const { rest, unsure } = unknown ? await notThere(partition, batches) : { rest: batches, unsure: 0 };
    if (signal.aborted) return undefined;
    const isKept = loss === 'identity-stale' || rest.length === 0;
    const replaced = isKept ? rest : await reidentify(rest, loss, () => place, options);
    if (replaced === undefined) return undefined;
    options.onReplaced(loss, unsure, 0);
    await journal.flush();
    if (loss === 'partition-gone') {
      options.log.warn(
        'partition gone',
        { partition, to: place, batches: replaced.length },
        'the topic has no such partition any more; what had no acknowledgement goes to another one',
      );
    }
    return { partition: place, batches: replaced };
  };
}
