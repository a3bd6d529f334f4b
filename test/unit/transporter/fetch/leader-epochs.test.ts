import { array, assert, boolean, integer, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DivergingEpoch } from '../../../../shared/kafka/requests/fetch.ts';
import { createLeaderEpochs, type EpochStart } from '../../../../transporter/fetch/leader-epochs.ts';

const read = (...starts: [epoch: number, offset: number][]) =>
  createLeaderEpochs(starts.map(([epoch, offset]) => ({ epoch, offset })));

describe('createLeaderEpochs', () => {
  it('knows who wrote the record before an offset', () => {
    const epochs = read([1, 0]);
    epochs.note({ epoch: 3, offset: 50 });
    epochs.note({ epoch: 3, offset: 60 });
    expect(epochs.before(0)).toBeUndefined();
    expect(epochs.before(50)).toBe(1);
    expect(epochs.before(51)).toBe(3);
  });

  it('believes the newest of two that cannot both be right', () => {
    const epochs = read([1, 0]);
    epochs.note({ epoch: 9, offset: 50 });
    epochs.note({ epoch: 3, offset: 60 });
    expect(epochs.until(100)).toEqual([
      { epoch: 1, offset: 0 },
      { epoch: 3, offset: 60 },
    ]);
  });

  it('commits the last three of what is committed', () => {
    const epochs = read([1, 0], [2, 10], [3, 20], [4, 30], [5, 40]);
    expect(epochs.until(40).map(({ epoch }) => epoch)).toEqual([2, 3, 4]);
  });

  it('parts where the leader says, or where an epoch began that the leader does not know', () => {
    expect(read([1, 0]).partingOffset({ epoch: 1, endOffset: 40 }, 100)).toBe(40);
    expect(read([1, 0], [3, 50]).partingOffset({ epoch: 1, endOffset: 200 }, 100)).toBe(50);
    expect(read([1, 0], [3, 50]).partingOffset({ epoch: 2, endOffset: 60 }, 100)).toBe(50);
    expect(read().partingOffset({ epoch: 2, endOffset: 60 }, 100)).toBe(60);
  });

  it('knows what the leader said of the record before, when nothing is left that was read', () => {
    const epochs = read([4, 50]);
    epochs.forgetFrom(20, 3);
    expect(epochs.before(20)).toBe(3);
    expect(epochs.partingOffset({ epoch: 3, endOffset: 10 }, 20)).toBe(10);
    epochs.forgetFrom(0, 1);
    expect(epochs.before(0)).toBeUndefined();
  });

  /**
   * Two logs that are the same up to an offset and differ from there, asked of each other as KIP-595 says until they
   * agree: what is left of the one that was read is exactly what both have.
   */
  it('comes to where two logs part, whatever leaders they had', () => {
    const log = array(tuple(boolean(), integer({ min: 1, max: 3 })), { maxLength: 8 });
    assert(
      property(log, log, log, (shared, ours, theirs) => {
        const lengthOf = (parts: [boolean, number][]): number =>
          parts.reduce((sum, [, length]) => sum + length, 0);
        // Each epoch has one leader, so what was written apart has epochs of its own: odd ones here, even ones there.
        const write = (parts: [boolean, number][], first: number, offset: number): EpochStart[] => {
          let [at, epoch] = [offset, first];
          return parts.map(([skips, length]) => {
            epoch += skips ? 4 : 2;
            const start = { epoch, offset: at };
            at += length;
            return start;
          });
        };
        const common = write(shared, 0, 0);
        const parting = lengthOf(shared);
        const last = common.at(-1)?.epoch ?? 0;
        const [mine, leader] = [write(ours, last + 1, parting), write(theirs, last, parting)];
        const epochs = createLeaderEpochs([...common, ...mine]);
        const leaderEnd = parting + lengthOf(theirs);
        let position = parting + lengthOf(ours);
        for (let rounds = 0; ; rounds += 1) {
          expect(rounds).toBeLessThan(20);
          const asked = epochs.before(position);
          const answer = asked === undefined ? undefined : endOf([...common, ...leader], leaderEnd, asked);
          if (answer === undefined || (answer.epoch === asked && answer.endOffset >= position)) break;
          position = epochs.partingOffset(answer, position);
          epochs.forgetFrom(position);
        }
        expect(position).toBe(parting);
      }),
    );
  });
});

/** As LeaderEpochFileCache.endOffsetFor of Apache Kafka, for an epoch that is not newer than the leader's own. */
function endOf(starts: readonly EpochStart[], logEnd: number, epoch: number): DivergingEpoch {
  const next = starts.find((start) => start.epoch > epoch);
  const floor = starts.findLast((start) => start.epoch <= epoch);
  return { epoch: floor?.epoch ?? epoch, endOffset: next?.offset ?? logEnd };
}
