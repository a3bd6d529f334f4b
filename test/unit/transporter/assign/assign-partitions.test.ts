import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TopicPartition } from '../../../../shared/kafka/consumer-protocol.ts';
import {
  assignPartitions,
  type AssignableMember,
  type AssignablePartition,
} from '../../../../transporter/assign/assign-partitions.ts';
import { partitionKey } from '../../../../transporter/topic-partition.ts';

/** What the assigner is to optimise, in order of weight; computed from an assignment alone. */
interface Score {
  spread: number;
  leaders: number;
  replicas: number;
  stays: number;
}

function scoreOf(
  members: readonly AssignableMember[],
  partitions: readonly AssignablePartition[],
  ownerOf: (partition: AssignablePartition) => AssignableMember,
): Score {
  const counts = new Map(members.map((member) => [member.id, 0]));
  const score = { spread: 0, leaders: 0, replicas: 0, stays: 0 };
  for (const partition of partitions) {
    const owner = ownerOf(partition);
    counts.set(owner.id, counts.get(owner.id)! + 1);
    if (owner.rack !== undefined && owner.rack === partition.leaderRack) score.leaders += 1;
    else if (owner.rack !== undefined && partition.replicaRacks.includes(owner.rack)) score.replicas += 1;
    if (owner.owned.some((owned) => partitionKey(owned) === partitionKey(partition))) score.stays += 1;
  }
  score.spread = Math.max(...counts.values()) - Math.min(...counts.values());
  return score;
}

function scoreOfResult(
  members: readonly AssignableMember[],
  partitions: readonly AssignablePartition[],
  result: Map<string, TopicPartition[]>,
): Score {
  const owners = new Map<string, AssignableMember>();
  for (const member of members) {
    for (const partition of result.get(member.id)!) owners.set(partitionKey(partition), member);
  }
  return scoreOf(members, partitions, (partition) => owners.get(partitionKey(partition))!);
}

/** Tries every assignment that is balanced to within one, and keeps the best by leaders, replicas, stays. */
function bestByBruteForce(
  members: readonly AssignableMember[],
  partitions: readonly AssignablePartition[],
): Score {
  let best: Score | undefined;
  const choice: number[] = [];
  const visit = (): void => {
    if (choice.length < partitions.length) {
      for (let m = 0; m < members.length; m += 1) {
        choice.push(m);
        visit();
        choice.pop();
      }
      return;
    }
    const score = scoreOf(
      members,
      partitions,
      (partition) => members[choice[partitions.indexOf(partition)]!]!,
    );
    if (score.spread > 1) return;
    const better =
      best === undefined ||
      score.leaders - best.leaders ||
      score.replicas - best.replicas ||
      score.stays - best.stays;
    if (better === true || (typeof better === 'number' && better > 0)) best = score;
  };
  visit();
  return best!;
}

const rack = fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined });

function situation(limits: { members: number; partitions: number }) {
  return fc
    .record({
      racks: fc.array(rack, { minLength: 1, maxLength: limits.members }),
      partitions: fc.array(
        fc.record({
          topic: fc.constantFrom('logs', 'metrics'),
          leaderRack: rack,
          replicaRacks: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }),
          /** Which member has it now; a number past the members is nobody. */
          owner: fc.nat(limits.members),
        }),
        { maxLength: limits.partitions },
      ),
    })
    .map(({ racks, partitions }) => ({
      partitions: partitions.map(({ topic, leaderRack, replicaRacks }, partition): AssignablePartition => ({
        topic,
        leaderRack,
        replicaRacks,
        partition,
      })),
      members: racks.map((memberRack, m): AssignableMember => ({
        id: `member-${m}`,
        rack: memberRack,
        owned: partitions.flatMap(({ topic, owner }, partition) =>
          owner === m ? [{ topic, partition }] : [],
        ),
      })),
    }));
}

describe('assignPartitions', () => {
  it('is as good as the best of all balanced assignments', () => {
    fc.assert(
      fc.property(situation({ members: 4, partitions: 6 }), ({ members, partitions }) => {
        const got = scoreOfResult(members, partitions, assignPartitions({ members, partitions }));
        const best = bestByBruteForce(members, partitions);
        expect({ ...got, spread: got.spread <= 1 }).toEqual({ ...best, spread: true });
      }),
      { numRuns: 1000 },
    );
  });

  it('gives every partition to exactly one member and differs by at most one, whatever the sizes', () => {
    fc.assert(
      fc.property(situation({ members: 30, partitions: 200 }), ({ members, partitions }) => {
        const result = assignPartitions({ members, partitions });
        const given = [...result.values()].flat().map(partitionKey).sort();
        expect(given).toEqual(partitions.map(partitionKey).sort());
        const sizes = [...result.values()].map((list) => list.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1000 },
    );
  });

  it('does not depend on the order of members and partitions, so that any leader finds the same', () => {
    fc.assert(
      fc.property(situation({ members: 8, partitions: 40 }), ({ members, partitions }) => {
        const forwards = assignPartitions({ members, partitions });
        const backwards = assignPartitions({
          members: [...members].reverse(),
          partitions: [...partitions].reverse(),
        });
        expect(Object.fromEntries(backwards)).toEqual(Object.fromEntries(forwards));
      }),
      { numRuns: 1000 },
    );
  });

  it('moves nothing when it is asked again with what it gave', () => {
    fc.assert(
      fc.property(situation({ members: 8, partitions: 40 }), ({ members, partitions }) => {
        const first = assignPartitions({ members, partitions });
        const settled = members.map((member) => ({ ...member, owned: first.get(member.id)! }));
        expect(assignPartitions({ members: settled, partitions })).toEqual(first);
      }),
      { numRuns: 1000 },
    );
  });

  it('moves only the share of a worker that joins', () => {
    const partitions = Array.from({ length: 12 }, (_, partition) => ({
      topic: 'logs',
      partition,
      replicaRacks: [],
    }));
    const before = assignPartitions({
      members: ['a', 'b', 'c'].map((id) => ({ id, owned: [] })),
      partitions,
    });
    const members = [
      ...['a', 'b', 'c'].map((id) => ({ id, owned: before.get(id)! })),
      { id: 'd', owned: [] as TopicPartition[] },
    ];
    const after = assignPartitions({ members, partitions });
    expect(after.get('d')).toHaveLength(3);
    expect(scoreOfResult(members, partitions, after).stays).toBe(9);
  });

  it('prefers the rack of the leader although every rack has a replica', () => {
    const partitions = ['a', 'b', 'c', 'a', 'b', 'c'].map((leaderRack, partition) => ({
      topic: 'logs',
      partition,
      leaderRack,
      replicaRacks: ['a', 'b', 'c'],
    }));
    const members = ['a', 'b', 'c'].map((memberRack) => ({
      id: `in-${memberRack}`,
      rack: memberRack,
      owned: [],
    }));
    expect(Object.fromEntries(assignPartitions({ members, partitions }))).toEqual({
      'in-a': [0, 3].map((partition) => ({ topic: 'logs', partition })),
      'in-b': [1, 4].map((partition) => ({ topic: 'logs', partition })),
      'in-c': [2, 5].map((partition) => ({ topic: 'logs', partition })),
    });
  });

  it('spreads the partitions of a busy topic over the members of a rack', () => {
    const partitions = ['busy', 'quiet'].flatMap((topic) =>
      Array.from({ length: 4 }, (_, partition) => ({ topic, partition, leaderRack: 'a', replicaRacks: [] })),
    );
    const members = ['m1', 'm2', 'm3', 'm4'].map((id) => ({ id, rack: 'a', owned: [] }));
    for (const list of assignPartitions({ members, partitions }).values()) {
      expect(list.map(({ topic }) => topic)).toEqual(['busy', 'quiet']);
    }
  });

  it('has nothing to give without members, and gives nobody anything without partitions', () => {
    expect(assignPartitions({ members: [], partitions: [] })).toEqual(new Map());
    expect(assignPartitions({ members: [{ id: 'm', owned: [] }], partitions: [] })).toEqual(
      new Map([['m', []]]),
    );
  });
});
