/**
 * The single-partition partitioner: one partition, drawn at random among those led in the agent's own rack, for a while.
 * Large batches compress best, and a batch whose leader stands in the same rack crosses no rack on its way in.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { TopicView } from './topic-view.ts';

export interface PartitionerOptions {
  /** The agent's rack; undefined when it is not known, which is the same as ignoring racks. */
  rack: string | undefined;
  mode: 'prefer' | 'require' | 'ignore';
  stickyMs: number;
  stickyBytes: number;
  clock: Clock;
  random: Random;
}

export type MoveReason = 'first' | 'time' | 'bytes' | 'no-leader' | 'left-rack' | 'unhealthy' | 'turn';

export interface Choice {
  partition: number;
  /** Why this is another partition than the last one; undefined when it is the same. */
  moved: MoveReason | undefined;
}

export interface Partitioner {
  /**
   * The partition for the next batch, or undefined when none can be used now. Moves happen here only, so never inside a
   * batch. `usable` says whether a partition's sender gets its batches through.
   */
  choose(view: TopicView, usable: (partition: number) => boolean): Choice | undefined;
  /** A batch of `bytes` went to the partition that was chosen last. */
  took(bytes: number): void;
}

/** The partitions to draw from: those with a live leader, led in `rack` if there are any (or none else, with `require`). */
export function candidates(view: TopicView, options: Pick<PartitionerOptions, 'rack' | 'mode'>): number[] {
  const led = view.partitions.filter((p) => p.leader !== -1 && view.brokers.has(p.leader));
  const { rack, mode } = options;
  if (rack === undefined || mode === 'ignore') return led.map((p) => p.partition);
  const near = led.filter((p) => view.brokers.get(p.leader)?.rack === rack);
  return (near.length > 0 || mode === 'require' ? near : led).map((p) => p.partition);
}

/** The candidates; with `prefer` those of every rack while none of the agent's own gets its batches through. */
export function reachable(
  view: TopicView,
  usable: (partition: number) => boolean,
  options: Pick<PartitionerOptions, 'rack' | 'mode'>,
): number[] {
  const near = candidates(view, options);
  if (options.mode !== 'prefer' || near.some(usable)) return near;
  // The rack's own brokers are all in trouble: a line that crosses a rack is better than a line that waits.
  return candidates(view, { rack: undefined, mode: 'ignore' });
}

export function singlePartition(options: PartitionerOptions): Partitioner {
  const { clock, random } = options;
  let current: number | undefined;
  let sinceMs = 0;
  let sentBytes = 0;

  const reasonToMove = (
    open: readonly number[],
    view: TopicView,
    usable: (p: number) => boolean,
  ): MoveReason | undefined => {
    if (current === undefined) return 'first';
    if (!open.includes(current)) {
      const leader = view.partitions.find((p) => p.partition === current)?.leader ?? -1;
      return leader === -1 ? 'no-leader' : 'left-rack';
    }
    if (!usable(current)) return 'unhealthy';
    if (clock.monotonicMs() - sinceMs >= options.stickyMs) return 'time';
    if (sentBytes >= options.stickyBytes) return 'bytes';
    return undefined;
  };

  return {
    choose: (view, usable) => {
      const open = reachable(view, usable, options);
      const reason = reasonToMove(open, view, usable);
      if (reason === undefined) return { partition: current!, moved: undefined };
      const healthy = open.filter(usable);
      // Every other partition first: after its time a partition is left even when the draw would keep it.
      const others = healthy.filter((p) => p !== current);
      const pool = others.length > 0 ? others : healthy;
      if (pool.length === 0) return undefined;
      const partition = pool[Math.floor(random() * pool.length)]!;
      const moved = partition === current ? undefined : reason;
      current = partition;
      sinceMs = clock.monotonicMs();
      sentBytes = 0;
      return { partition, moved };
    },
    took: (bytes) => {
      sentBytes += bytes;
    },
  };
}
