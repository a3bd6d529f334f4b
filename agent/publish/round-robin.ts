/**
 * The round-robin partitioner: each batch goes to the partition after the one before it, so that every partition gets
 * the same number of batches from every host. Batches are not larger for it, as they are with single-partition.
 */
import type { Random } from '../../shared/clock.ts';
import { type Partitioner, type PartitionerOptions, reachable } from './partitioner.ts';

export interface RoundRobinOptions extends Pick<PartitionerOptions, 'rack' | 'mode'> {
  /** Draws the first partition: hosts that start together must not walk the partitions in step. */
  random: Random;
}

export function roundRobin(options: RoundRobinOptions): Partitioner {
  let turn: number | undefined;
  let taken = false;

  /**
   * In the order of partition numbers, and after the last one the first. A partition that cannot be used is passed
   * over: the others still get one batch each in a round.
   */
  const next = (open: readonly number[]): number => {
    if (turn === undefined) return open[Math.floor(options.random() * open.length)]!;
    const last = turn;
    return open.find((partition) => partition > last) ?? open[0]!;
  };

  return {
    choose: (view, usable) => {
      const open = reachable(view, usable, options)
        .filter(usable)
        .sort((a, b) => a - b);
      if (open.length === 0) return undefined;
      // A batch that still waits for room keeps its partition; asking again must not cost the partition its turn.
      if (turn !== undefined && !taken && open.includes(turn)) return { partition: turn, moved: undefined };
      const before = turn;
      turn = next(open);
      taken = false;
      if (before === undefined) return { partition: turn, moved: 'first' };
      return { partition: turn, moved: turn === before ? undefined : 'turn' };
    },
    took: () => {
      taken = true;
    },
  };
}
