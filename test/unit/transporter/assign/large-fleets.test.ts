import { describe, expect, it } from 'vitest';
import type { TopicPartition } from '../../../../shared/kafka/consumer-protocol.ts';
import {
  assignPartitions,
  type AssignableMember,
  type AssignablePartition,
} from '../../../../transporter/assign/assign-partitions.ts';
import { between, seededRandom } from '../../../simulation/support/random.ts';

const PARTITIONS = 10_000;
const WORKERS = 200;

type RackOf = (index: number) => string | undefined;

interface Fleet {
  racksOfWorkers: RackOf;
  racksOfLeaders: RackOf;
}

const random = seededRandom(1);
const three: RackOf = (index) => `rack-${index % 3}`;
const oneOfTwelve: RackOf = () => `rack-${between(random, 1, 12)}`;
/** Nine of ten are in one rack. */
const lopsided: RackOf = (index) => (index % 10 === 0 ? three(index) : 'rack-0');

const FLEETS: [what: string, fleet: Fleet][] = [
  ['three equal racks', { racksOfWorkers: three, racksOfLeaders: three }],
  ['no racks', { racksOfWorkers: () => undefined, racksOfLeaders: () => undefined }],
  ['one rack', { racksOfWorkers: () => 'rack-0', racksOfLeaders: () => 'rack-0' }],
  ['most workers in one rack', { racksOfWorkers: lopsided, racksOfLeaders: three }],
  ['most leaders in one rack', { racksOfWorkers: three, racksOfLeaders: lopsided }],
  ['twelve racks without any order', { racksOfWorkers: oneOfTwelve, racksOfLeaders: oneOfTwelve }],
];

function partitionsOf(racksOfLeaders: RackOf): AssignablePartition[] {
  return Array.from({ length: PARTITIONS }, (_, i) => {
    const racks = [0, 1, 2].flatMap((replica) => racksOfLeaders(7 * i + replica) ?? []);
    const place = { topic: `topic-${i % 40}`, partition: Math.floor(i / 40) };
    return { ...place, leaderRack: racks[0], replicaRacks: [...new Set(racks)] };
  });
}

function workersOf(racksOfWorkers: RackOf, count: number): AssignableMember[] {
  return Array.from({ length: count }, (_, m) => ({ id: `worker-${m}`, rack: racksOfWorkers(m), owned: [] }));
}

/** What befalls a fleet that has settled. */
const EVENTS: Record<
  string,
  (fleet: Fleet) => { members: AssignableMember[]; partitions: AssignablePartition[] }
> = {
  'that begins': ({ racksOfWorkers, racksOfLeaders }) => ({
    members: workersOf(racksOfWorkers, WORKERS),
    partitions: partitionsOf(racksOfLeaders),
  }),
  'of which a tenth left': ({ racksOfWorkers, racksOfLeaders }) => {
    const [members, partitions] = [workersOf(racksOfWorkers, WORKERS + 20), partitionsOf(racksOfLeaders)];
    return { members: settled(members, partitions).slice(20), partitions };
  },
  'whose leaders all move': ({ racksOfWorkers, racksOfLeaders }) => {
    const [members, partitions] = [workersOf(racksOfWorkers, WORKERS), partitionsOf(racksOfLeaders)];
    const moved = partitions.map((partition) => ({
      ...partition,
      leaderRack: partition.replicaRacks.at(-1),
    }));
    return { members: settled(members, partitions), partitions: moved };
  },
  'whose partitions are with whomever': ({ racksOfWorkers, racksOfLeaders }) => {
    const partitions = partitionsOf(racksOfLeaders);
    const owned: TopicPartition[][] = Array.from({ length: WORKERS }, () => []);
    for (const partition of partitions) owned[between(random, 0, WORKERS - 1)]!.push(partition);
    const members = workersOf(racksOfWorkers, WORKERS).map((member, m) => ({ ...member, owned: owned[m]! }));
    return { members, partitions };
  },
};

function settled(members: AssignableMember[], partitions: AssignablePartition[]): AssignableMember[] {
  const assigned = assignPartitions({ members, partitions });
  return members.map((member) => ({ ...member, owned: assigned.get(member.id)! }));
}

describe.each(FLEETS)('10,000 partitions over 200 workers, with %s,', (_, fleet) => {
  it.each(Object.entries(EVENTS))('%s, take less than a second of a core', (_event, happen) => {
    const situation = happen(fleet);
    const startedAt = process.cpuUsage();
    const assigned = assignPartitions(situation);
    expect(process.cpuUsage(startedAt).user).toBeLessThan(1_000_000);
    const sizes = [...assigned.values()].map((partitions) => partitions.length);
    expect(new Set(sizes)).toEqual(new Set([PARTITIONS / WORKERS]));
  });
});
