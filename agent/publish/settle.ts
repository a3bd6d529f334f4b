/**
 * Finds out what became of open batches of a partition when bytes of some are gone from their files, so that these cannot
 * go again as they were. To read the partition is not enough: a request of the dead process may still be on its way, and
 * arrive after the read. But the broker takes one batch for each place in a producer's sequence, whichever comes
 * first. So lines that are left go in the place of the first batch that nobody has seen: if they are taken, that one and
 * all behind it can never come; if they are refused, it has arrived. See docs/decisions/0013.
 * Source: KIP-98, and ProducerAppendInfo.checkSequence of Apache Kafka.
 */
import { sealBatch } from '../../shared/wire/record-batch.ts';
import { advanceSequence } from '../checkpoint/sequence.ts';
import { isWhole, type OpenBatch } from './open-batches.ts';
import type { IdentityLoss, SealedBatch } from './partition-sender.ts';
import type { OwnBatch } from './own-batches.ts';
import type { ReadBack } from './read-back.ts';

/** Where a batch is. */
export interface Taken {
  offset: number;
  sentMs: number;
}

export interface SettleOptions {
  /** Sends a batch until the broker has taken it or says why not; undefined when the publisher stops first. */
  judge(batch: SealedBatch): Promise<Taken | IdentityLoss | undefined>;
  /** Reads on in the partition for batches that have the lines of these. */
  lookFor(open: readonly OpenBatch[]): Promise<Pick<ReadBack, 'found' | 'shortfall'>>;
  /** The lines of several batches of a producer as one. */
  merge(batches: readonly SealedBatch[]): Promise<SealedBatch | undefined>;
  onTaken(batch: SealedBatch, taken: Taken): void;
  onFound(open: OpenBatch, there: OwnBatch): void;
}

export interface Settled {
  /** These are not in the partition. */
  missing: readonly OpenBatch[];
  /** Whether requests of the dead process may bring them yet. */
  mayCome: boolean;
}

/** Whether there are lines to send of a batch that cannot be sent as it was, or of one behind it. */
export function isContested(batches: readonly OpenBatch[]): boolean {
  const first = batches.findIndex((batch) => !isWhole(batch));
  return first !== -1 && batches.slice(first).some(({ left }) => left !== undefined);
}

/** `batches` are the open ones of one producer, in order, that a read of the partition to its end has not found. */
export async function settle(batches: readonly OpenBatch[], options: SettleOptions): Promise<Settled> {
  let open = batches;
  while (open.some(({ left }) => left !== undefined)) {
    const unknown = { missing: open, mayCome: true };
    const first = open[0]!;
    const lines = await linesFor(open, options);
    if (lines === undefined) return unknown;
    const { producerId, producerEpoch, baseSequence } = first.intent;
    sealBatch(lines.bytes, { producerId, producerEpoch, baseSequence });
    const verdict = await options.judge(lines);
    const taken = typeof verdict === 'object' ? verdict : undefined;
    if (taken === undefined && verdict !== 'identity-lost') return unknown;
    if (taken !== undefined && lines === first.left && isWhole(first)) {
      options.onTaken(lines, taken);
      open = open.slice(1);
      continue;
    }
    // Refused: something is in this place. Taken: it may be the answer to a batch of as many records that came before.
    const { found, shortfall } = await options.lookFor(open);
    if (shortfall !== undefined) return unknown;
    if (taken !== undefined && found.get(lines.intent.n)?.offset === taken.offset)
      options.onTaken(lines, taken);
    for (const batch of open) {
      const there = found.get(batch.intent.n);
      if (there !== undefined) options.onFound(batch, there);
    }
    open = open.filter(({ intent }) => !found.has(intent.n));
    // Other lines have taken its place, or the broker has lost what it had: nothing more comes of this producer.
    if (open[0] === first) break;
  }
  return { missing: open, mayCome: false };
}

/**
 * The lines that go in the place of the first batch: as few of those that are left as will do. So many that the sequence goes on
 * with another open batch will not, because that one could come yet, and so would its lines that went here.
 */
async function linesFor(
  open: readonly OpenBatch[],
  { merge }: Pick<SettleOptions, 'merge'>,
): Promise<SealedBatch | undefined> {
  const [first] = open;
  if (first?.left !== undefined) return first.left;
  const some: SealedBatch[] = [];
  for (const [i, { left }] of open.entries()) {
    if (left === undefined) continue;
    some.push(left);
    const records = some.reduce((sum, { intent }) => sum + intent.records, 0);
    const next = advanceSequence(first!.intent.baseSequence, records);
    if (open.slice(1, i + 1).some(({ intent }) => intent.baseSequence === next)) continue;
    return some.length === 1 ? left : merge(some);
  }
  return undefined;
}
