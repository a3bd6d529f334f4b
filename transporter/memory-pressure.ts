/** What a partition holds, as far as pressure is concerned. */
export interface Holder {
  /** Bytes that a cut would send on their way out. */
  readonly cuttableBytes: number;
  /** Bytes that are on their way out already. */
  readonly leavingBytes: number;
}

const START_AT = 0.75;
const RELIEVE_TO = 0.5;

/**
 * Whose chunks to cut early when the budget is nearly used up: the largest first, until what stays is half of
 * it. Large ones first makes few objects; small ones would be cut again and again for nothing.
 */
export function chooseForPressure<T extends Holder>(
  holders: Iterable<T>,
  budget: { usedBytes: number; limitBytes: number },
): T[] {
  if (budget.usedBytes < START_AT * budget.limitBytes) return [];
  const all = [...holders];
  let staying = budget.usedBytes - all.reduce((sum, holder) => sum + holder.leavingBytes, 0);
  const chosen: T[] = [];
  for (const holder of all.sort((a, b) => b.cuttableBytes - a.cuttableBytes)) {
    if (staying <= RELIEVE_TO * budget.limitBytes || holder.cuttableBytes === 0) break;
    chosen.push(holder);
    staying -= holder.cuttableBytes;
  }
  return chosen;
}
