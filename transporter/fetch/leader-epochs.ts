import type { DivergingEpoch } from '../../shared/kafka/requests/fetch.ts';

/** From this offset on, as far as was read, records were written by the leader of this epoch. */
export interface EpochStart {
  epoch: number;
  offset: number;
}

/**
 * Which leaders wrote the log that was read (KIP-101). Brokers keep the same list of theirs; where a leader lost records
 * in an unclean election, the two lists tell from which offset on its log is another one (KIP-320, KIP-595).
 */
export interface LeaderEpochs {
  note(start: EpochStart): void;
  /** Of the record before `offset`; undefined when it is not known. */
  before(offset: number): number | undefined;
  /** The last few that begin before `offset`, to be committed with it. */
  until(offset: number): EpochStart[];
  /** Up to where the log of the leader that said `diverging` is the one that was read up to `position`. */
  partingOffset(diverging: DivergingEpoch, position: number): number;
  /**
   * From `offset` on the log is another one. A leader of `epoch`, if that is known, or one before it, wrote what is before.
   */
  forgetFrom(offset: number, epoch?: number): void;
}

/** Leaders change when brokers restart: these are days. What is older counts as the same in all logs. */
const MAX_EPOCHS = 16;
/** They share the metadata of an offset with an intent. */
export const MAX_COMMITTED_EPOCHS = 3;

export function createLeaderEpochs(committed: readonly EpochStart[] = []): LeaderEpochs {
  /** In the order of both offset and epoch. */
  let starts = [...committed];

  const until = (offset: number): EpochStart[] => starts.filter((start) => start.offset < offset);

  return {
    note: (start) => {
      if (starts.at(-1)?.epoch === start.epoch) return;
      // Epochs only grow along a log, and no checksum covers them: the newest is believed.
      const before = starts.filter(({ epoch, offset }) => epoch < start.epoch && offset < start.offset);
      starts = [...before, start].slice(-MAX_EPOCHS);
    },
    before: (offset) => until(offset).at(-1)?.epoch,
    until: (offset) => until(offset).slice(-MAX_COMMITTED_EPOCHS),
    partingOffset: ({ epoch, endOffset }, position) => {
      const unknownToLeader = starts.find((start) => start.epoch > epoch)?.offset ?? position;
      return Math.max(0, Math.min(position, endOffset, unknownToLeader));
    },
    forgetFrom: (offset, epoch) => {
      starts = until(offset);
      // Nothing is left that was read: what is known is that the leader has the record before, of that epoch at most.
      if (starts.length === 0 && epoch !== undefined && offset > 0) starts = [{ epoch, offset: offset - 1 }];
    },
  };
}
