import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import { comparePartitions, compareText, partitionKey } from '../topic-partition.ts';
import { createFlowNetwork } from './min-cost-flow.ts';

export interface AssignableMember {
  id: string;
  rack?: string | undefined;
  /** Partitions that the member says it has now; only used to move few. */
  owned: readonly TopicPartition[];
}

export interface AssignablePartition extends TopicPartition {
  /** Rack of the leader; undefined when there is no leader or it has no rack. */
  leaderRack?: string | undefined;
  replicaRacks: readonly string[];
}

/**
 * Gives every partition to one member. In this order of weight: members differ by at most one partition; as
 * many partitions as possible have their leader in the member's rack; then as many as possible a replica;
 * then as few as possible change hands. Unlike KIP-881 the leader's rack counts before a replica's: producers
 * write to it.
 *
 * Exact, as a flow of least cost. Partitions that look the same (owner, leader's rack, replicas' racks) are
 * one node and members of one rack hang behind one node, so the network stays small. The result depends only
 * on the content of the arguments, not on their order.
 */
export function assignPartitions(input: {
  members: readonly AssignableMember[];
  partitions: readonly AssignablePartition[];
}): Map<string, TopicPartition[]> {
  const members = [...input.members].sort((a, b) => compareText(a.id, b.id));
  const result = new Map<string, TopicPartition[]>(members.map((member) => [member.id, []]));
  if (members.length === 0 || input.partitions.length === 0) return result;
  const racks = [...new Set(members.flatMap((member) => member.rack ?? []))].sort(compareText);
  const rackIndex = new Map(racks.map((rack, index) => [rack, index]));
  const kinds = kindsOfPartitions(members, input.partitions, rackIndex);

  // Nodes: source, sink, spare, anywhere, then racks, members and kinds of partitions.
  const [source, sink, spare, anywhere] = [0, 1, 2, 3];
  const rackNode = (rack: number): number => 4 + rack;
  const memberNode = (member: number): number => rackNode(racks.length) + member;
  const kindNode = (kind: number): number => memberNode(members.length) + kind;
  const network = createFlowNetwork(kindNode(kinds.length));

  // Balance: everyone gets the floor, and through `spare` as many as there is a remainder get one more.
  const floor = Math.floor(input.partitions.length / members.length);
  network.addEdge(spare, sink, input.partitions.length % members.length, 0);
  const hubEdges: { hub: number; member: number; edge: number }[] = [];
  members.forEach((member, m) => {
    network.addEdge(memberNode(m), sink, floor, 0);
    network.addEdge(memberNode(m), spare, 1, 0);
    const rack = member.rack === undefined ? undefined : rackIndex.get(member.rack);
    const hubs = rack === undefined ? [anywhere] : [anywhere, rackNode(rack)];
    for (const hub of hubs) {
      hubEdges.push({ hub, member: m, edge: network.addEdge(hub, memberNode(m), Infinity, 0) });
    }
  });

  // One leader outweighs all replicas together, and one replica all moves together.
  const replicaWeight = input.partitions.length + 1;
  const leaderWeight = replicaWeight * replicaWeight;
  const worst = leaderWeight + 1;
  const kindEdges: { kind: number; to: number; edge: number }[] = [];
  kinds.forEach((kind, k) => {
    const gainIn = (rack: number | undefined): number => {
      if (rack === undefined) return 0;
      if (rack === kind.leaderRack) return leaderWeight;
      return kind.replicaRacks.includes(rack) ? replicaWeight : 0;
    };
    const connect = (to: number, gain: number): void => {
      const edge = network.addEdge(kindNode(k), to, kind.partitions.length, worst - gain);
      kindEdges.push({ kind: k, to, edge });
    };
    network.addEdge(source, kindNode(k), kind.partitions.length, 0);
    if (kind.owner !== undefined) {
      const rack = members[kind.owner]!.rack;
      connect(memberNode(kind.owner), 1 + gainIn(rack === undefined ? undefined : rackIndex.get(rack)));
    }
    for (const rack of new Set([kind.leaderRack, ...kind.replicaRacks])) {
      if (rack !== undefined) connect(rackNode(rack), gainIn(rack));
    }
    connect(anywhere, 0);
  });
  network.solve(source, sink);

  // Take the flow apart: what a kind sent to its owner stays there, what it sent to a hub is dealt out from
  // the hub.
  const atHub = new Map<number, AssignablePartition[]>();
  const rest = kinds.map((kind) => [...kind.partitions]);
  for (const { kind, to, edge } of kindEdges) {
    const taken = rest[kind]!.splice(0, network.flowOf(edge));
    if (to >= memberNode(0)) result.get(members[to - memberNode(0)]!.id)!.push(...taken.map(bare));
    else atHub.set(to, [...(atHub.get(to) ?? []), ...taken]);
  }
  for (const [hub, partitions] of atHub) {
    const wants = hubEdges
      .filter((edge) => edge.hub === hub)
      .map(({ member, edge }) => ({ id: members[member]!.id, count: network.flowOf(edge) }));
    deal(partitions.sort(comparePartitions), wants, result);
  }
  for (const partitions of result.values()) partitions.sort(comparePartitions);
  return result;
}

interface Kind {
  owner: number | undefined;
  leaderRack: number | undefined;
  replicaRacks: number[];
  partitions: AssignablePartition[];
}

/**
 * Groups the partitions that cost the same everywhere. Racks without a member are left out: they make no
 * difference.
 */
function kindsOfPartitions(
  members: readonly AssignableMember[],
  partitions: readonly AssignablePartition[],
  rackIndex: ReadonlyMap<string, number>,
): Kind[] {
  const owners = new Map<string, number>();
  members.forEach((member, index) => {
    for (const owned of member.owned) {
      const key = partitionKey(owned);
      // Two may claim one partition when one of them has not heard of a rebalance; either is a fair guess.
      if (!owners.has(key)) owners.set(key, index);
    }
  });
  const kinds = new Map<string, Kind>();
  for (const partition of [...partitions].sort(comparePartitions)) {
    const owner = owners.get(partitionKey(partition));
    const leaderRack = partition.leaderRack === undefined ? undefined : rackIndex.get(partition.leaderRack);
    const replicaRacks = [
      ...new Set(partition.replicaRacks.flatMap((rack) => rackIndex.get(rack) ?? [])),
    ].sort((a, b) => a - b);
    const key = `${owner}/${leaderRack}/${replicaRacks.join()}`;
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, { owner, leaderRack, replicaRacks, partitions: [partition] });
    else kind.partitions.push(partition);
  }
  return [...kinds.values()];
}

/** One after the other to each, so that the partitions of one topic spread over the members. */
function deal(
  partitions: readonly AssignablePartition[],
  wants: readonly { id: string; count: number }[],
  result: Map<string, TopicPartition[]>,
): void {
  const open = wants.filter((want) => want.count > 0).map((want) => ({ ...want }));
  let turn = 0;
  for (const partition of partitions) {
    turn %= open.length;
    const taker = open[turn]!;
    result.get(taker.id)!.push(bare(partition));
    taker.count -= 1;
    if (taker.count === 0) open.splice(turn, 1);
    else turn += 1;
  }
}

function bare({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}
