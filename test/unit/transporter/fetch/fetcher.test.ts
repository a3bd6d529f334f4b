import { afterEach, describe, expect, it } from 'vitest';
import { SkaldError } from '../../../../shared/errors.ts';
import type { ClusterView } from '../../../../shared/kafka/cluster.ts';
import { KafkaCode } from '../../../../shared/kafka/error-codes.ts';
import type {
  DivergingEpoch,
  FetchAnswer,
  FetchedPartition,
} from '../../../../shared/kafka/requests/fetch.ts';
import { silentLogger } from '../../../../shared/telemetry/logger.ts';
import { createRegistry } from '../../../../shared/telemetry/metrics.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { createTransporterMetrics } from '../../../../shared/telemetry/transporter-metrics.ts';
import type { FetchTarget } from '../../../../transporter/fetch/cursor.ts';
import { createFetcher } from '../../../../transporter/fetch/fetcher.ts';
import type { FetchOptions } from '../../../../transporter/kafka-port.ts';
import { createMemoryBudget } from '../../../../transporter/memory-budget.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';

const MIB = 1024 * 1024;
const NEAR = 2;
let stop = new AbortController();

afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

interface Request extends FetchOptions {
  nodeId: number;
  answer: (parts: Partial<FetchedPartition>[]) => Promise<void>;
  fail: (error: Error) => Promise<void>;
}

/** Two brokers: 1 leads everything, 2 is in our rack. Each request waits for its answer by hand. */
function stage(options: { rack?: string; budgetBytes?: number } = {}) {
  const clock = simClock(0);
  const requests: Request[] = [];
  const turn = (): Promise<void> => clock.advance(0);
  let refreshes = 0;
  const budget = createMemoryBudget(options.budgetBytes ?? 64 * MIB, () => fetcher.wake());
  const metrics = createTransporterMetrics(createRegistry());
  const view: ClusterView = {
    clusterId: 'c',
    controllerId: 1,
    brokers: new Map(
      [1, NEAR].map((nodeId) => [nodeId, { nodeId, host: 'h', port: nodeId, rack: `rack-${nodeId}` }]),
    ),
    topics: new Map([
      [
        'logs',
        {
          topic: 'logs',
          errorCode: 0,
          partitions: [0, 1, 2].map((partition) => ({
            topic: 'logs',
            partition,
            leader: 1,
            leaderEpoch: 3,
            replicas: [1, NEAR],
            inSyncReplicas: [1, NEAR],
            offlineReplicas: [],
            errorCode: 0,
          })),
        },
      ],
    ]),
  };
  const fetcher = createFetcher({
    kafka: {
      fetch: (nodeId, asked) =>
        new Promise<FetchAnswer>((resolve, reject) => {
          const answer = (parts: Partial<FetchedPartition>[]): Promise<void> => {
            const partitions = asked.partitions.map(({ topic, partition }, i) => ({
              topic,
              partition,
              errorCode: 0,
              highWatermark: 100,
              lastStableOffset: 100,
              logStartOffset: 0,
              abortedTransactions: [],
              preferredReadReplica: -1,
              records: Buffer.alloc(0),
              ...parts[i],
            }));
            resolve({ throttleMs: 0, errorCode: 0, partitions });
            return turn();
          };
          const fail = (error: Error): Promise<void> => {
            reject(error);
            return turn();
          };
          requests.push({ ...asked, nodeId, answer, fail });
        }),
      giveBack: () => {},
    },
    topology: {
      view,
      refresh: () => {
        refreshes += 1;
      },
    },
    config: {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 8 * MIB,
      maxPartitionBytes: MIB,
      isolation: 'read_committed',
    },
    rack: options.rack,
    preferredMaxAgeMs: 60_000,
    budget,
    growth: { of: (bytes) => 2 * bytes, note: () => {} },
    clock,
    random: () => 0.5,
    metrics,
    problems: repeatedLog({ logger: silentLogger, clock, intervalMs: 1000 }),
    signal: stop.signal,
  });
  return { clock, requests, fetcher, budget, metrics, turn, refreshes: () => refreshes };
}

/** A partition that takes whatever comes and moves on by one offset for each answer that is not empty. */
function partition(number: number) {
  const target = {
    topic: 'logs',
    partition: number,
    position: 10 as number | undefined,
    appetite: 'normal' as FetchTarget['appetite'],
    isLeaderOnly: false,
    isLogEndWanted: false,
    answers: 0,
    outOfRange: 0,
    lastEpoch: undefined as number | undefined,
    diverging: [] as [DivergingEpoch, number][],
    logEnds: [] as { highWatermark: number; askedAtMs: number }[],
    onLogEnd: (highWatermark: number, askedAtMs: number) => {
      target.logEnds.push({ highWatermark, askedAtMs });
      target.isLogEndWanted = false;
    },
    onAnswer: (answer: FetchedPartition) => {
      target.answers += 1;
      if (answer.records.length > 0) target.position = (target.position ?? 0) + 1;
    },
    onDiverging: (diverging: DivergingEpoch, leaderEpoch: number) => {
      target.diverging.push([diverging, leaderEpoch]);
      target.appetite = 'none';
    },
    onOutOfRange: () => {
      target.outOfRange += 1;
      target.appetite = 'none';
    },
  };
  return target;
}

const some = { records: Buffer.alloc(100) };
const partitionsOf = ({ partitions }: Request): number[] => partitions.map((asked) => asked.partition);

describe('createFetcher', () => {
  it('asks one broker for all partitions at once, at their offsets and epochs, and again when it has answered', async () => {
    const { fetcher, requests, turn } = stage();
    const targets = [partition(0), partition(1)];
    for (const target of targets) fetcher.add(target);
    await turn();
    expect(requests).toHaveLength(1);
    expect(requests[0]!.partitions).toEqual(
      [0, 1].map((number) => ({
        topic: 'logs',
        partition: number,
        fetchOffset: 10,
        maxBytes: MIB,
        leaderEpoch: 3,
      })),
    );
    await requests[0]!.answer([some, {}]);
    expect(targets.map(({ answers }) => answers)).toEqual([1, 1]);
    expect(requests).toHaveLength(2);
    expect(requests[1]!.partitions.map(({ fetchOffset }) => fetchOffset)).toEqual([10, 11]);
  });

  it('puts those first that were served longest ago: the broker fills its answer in this order', async () => {
    const { fetcher, requests, turn } = stage();
    for (const number of [0, 1, 2]) fetcher.add(partition(number));
    await turn();
    await requests[0]!.answer([some, some, {}]);
    expect(partitionsOf(requests[1]!)).toEqual([2, 0, 1]);
  });

  it('leaves out a partition without appetite until it has some again', async () => {
    const { fetcher, requests, turn } = stage();
    const [full, hungry] = [partition(0), partition(1)];
    full.appetite = 'none';
    fetcher.add(full);
    fetcher.add(hungry);
    await turn();
    expect(partitionsOf(requests[0]!)).toEqual([1]);
    full.appetite = 'normal';
    await requests[0]!.answer([some]);
    expect(new Set(partitionsOf(requests[1]!))).toEqual(new Set([0, 1]));
  });

  it('drops the answer for an offset that the partition has left meanwhile, or for a partition that left', async () => {
    const { fetcher, requests, turn } = stage();
    const [moved, removed] = [partition(0), partition(1)];
    fetcher.add(moved);
    fetcher.add(removed);
    await turn();
    moved.position = 50;
    fetcher.remove(removed);
    await requests[0]!.answer([some, some]);
    expect([moved.answers, removed.answers]).toEqual([0, 0]);
    expect(requests[1]!.partitions.map(({ fetchOffset }) => fetchOffset)).toEqual([50]);
  });

  it('follows the leader to the replica in its own rack, and counts bytes from other racks', async () => {
    const { fetcher, requests, turn, metrics } = stage({ rack: 'rack-2' });
    const target = partition(0);
    fetcher.add(target);
    await turn();
    expect([requests[0]!.nodeId, requests[0]!.rackId]).toEqual([1, 'rack-2']);
    await requests[0]!.answer([{ preferredReadReplica: NEAR }]);
    expect(target.answers).toBe(0);
    expect(requests[1]!.nodeId).toBe(NEAR);
    await requests[1]!.answer([some]);
    expect((await metrics.crossRackBytes.get()).values).toEqual([]);
    expect((await metrics.fetchedBytes.get()).values).toMatchObject([{ value: 100 }]);
  });

  it('asks the leader where the log ends, and goes on with the follower', async () => {
    const { fetcher, requests, turn, clock } = stage({ rack: 'rack-2' });
    const target = partition(0);
    fetcher.add(target);
    await turn();
    const redirect = { preferredReadReplica: NEAR, highWatermark: 100 };
    await requests[0]!.answer([redirect]);
    await clock.advance(5000);
    await requests[1]!.answer([{ ...some, highWatermark: 90 }]);
    target.isLogEndWanted = true;
    await requests[2]!.answer([{ ...some, highWatermark: 95 }]);
    await clock.advance(1000);
    await requests[3]!.answer([{ ...redirect, highWatermark: 120 }]);
    expect(target.logEnds).toEqual([
      { highWatermark: 100, askedAtMs: 0 },
      { highWatermark: 120, askedAtMs: 5000 },
    ]);
    expect(requests.map(({ nodeId }) => nodeId)).toEqual([1, NEAR, NEAR, 1, NEAR]);
    expect(target.answers).toBe(2);
  });

  it.each([
    ['does not answer', (request: Request) => request.fail(new SkaldError('KAFKA_DISCONNECTED', 'gone'))],
    [
      'lacks the offset',
      (request: Request) => request.answer([{ errorCode: KafkaCode.OFFSET_OUT_OF_RANGE }]),
    ],
    [
      'has another log, as one that is behind seems to',
      (request: Request) => request.answer([{ divergingEpoch: { epoch: 2, endOffset: 8 } }]),
    ],
    [
      'is no replica any more',
      (request: Request) => request.answer([{ errorCode: KafkaCode.NOT_LEADER_OR_FOLLOWER }]),
    ],
  ])(
    'goes back to the leader when the near replica %s, without a rack so that it is not sent back',
    async (_, end) => {
      const { fetcher, requests, turn, clock, metrics } = stage({ rack: 'rack-2' });
      const target = partition(0);
      fetcher.add(target);
      await turn();
      await requests[0]!.answer([{ preferredReadReplica: NEAR }]);
      await end(requests[1]!);
      await clock.advance(1000);
      expect([requests[2]!.nodeId, requests[2]!.rackId]).toEqual([1, '']);
      expect([target.outOfRange, target.diverging]).toEqual([0, []]);
      await requests[2]!.answer([some]);
      expect((await metrics.crossRackBytes.get()).values).toMatchObject([{ value: 100 }]);
    },
  );

  it('tells the partition when the leader itself lacks the offset', async () => {
    const { fetcher, requests, turn, clock } = stage();
    const target = partition(0);
    fetcher.add(target);
    await turn();
    await requests[0]!.answer([{ errorCode: KafkaCode.OFFSET_OUT_OF_RANGE }]);
    await clock.advance(60_000);
    expect([target.outOfRange, requests.length]).toEqual([1, 1]);
  });

  it('tells the partition when the leader has another log than the one that was read', async () => {
    const { fetcher, requests, turn, clock } = stage();
    const target = { ...partition(0), lastEpoch: 2 };
    fetcher.add(target);
    await turn();
    expect(requests[0]!.partitions).toMatchObject([{ leaderEpoch: 3, lastFetchedEpoch: 2 }]);
    await requests[0]!.answer([{ divergingEpoch: { epoch: 1, endOffset: 8 } }]);
    expect(target.diverging).toEqual([[{ epoch: 1, endOffset: 8 }, 3]]);
    expect(target.answers).toBe(0);
    target.appetite = 'none';
    await clock.advance(60_000);
  });

  it('asks a broker that fails less and less often, and refreshes the metadata each time', async () => {
    const { fetcher, requests, turn, clock, refreshes } = stage();
    fetcher.add(partition(0));
    await turn();
    const times: number[] = [];
    for (let i = 0; i < 12; i += 1) {
      times.push(clock.monotonicMs());
      await requests.at(-1)!.fail(new SkaldError('KAFKA_UNREACHABLE', 'down'));
      for (let ms = 0; requests.length === i + 1 && ms < 10_000; ms += 10) await clock.advance(10);
    }
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    expect(gaps[0]).toBeLessThanOrEqual(100);
    expect(gaps.at(-1)).toBeGreaterThan(1000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5010);
    expect(refreshes()).toBe(12);
  });

  it('lets one failing partition wait and goes on with the others', async () => {
    const { fetcher, requests, turn } = stage();
    const [bad, good] = [partition(0), partition(1)];
    fetcher.add(bad);
    fetcher.add(good);
    await turn();
    await requests[0]!.answer([{ errorCode: KafkaCode.LEADER_NOT_AVAILABLE }, some]);
    expect(partitionsOf(requests[1]!)).toEqual([1]);
    expect(bad.answers).toBe(0);
  });

  it('asks for nothing when the memory budget is used up, but for what is urgent; and goes on when memory is free', async () => {
    const { fetcher, requests, turn, budget } = stage({ budgetBytes: 4 * MIB });
    const [normal, urgent] = [partition(0), partition(1)];
    const account = budget.open();
    account.add(4 * MIB);
    fetcher.add(normal);
    await turn();
    expect(requests).toHaveLength(0);
    urgent.appetite = 'urgent';
    fetcher.add(urgent);
    await turn();
    expect(requests.map(partitionsOf)).toEqual([[1]]);
    urgent.appetite = 'none';
    await requests[0]!.answer([some]);
    account.add(-4 * MIB);
    await turn();
    expect(requests.map(partitionsOf)).toEqual([[1], [0]]);
  });

  it('takes what an answer may bring out of the budget while it waits for it', async () => {
    const { fetcher, requests, turn, budget } = stage({ budgetBytes: 16 * MIB });
    fetcher.add(partition(0));
    await turn();
    // A quarter of the budget: for the pieces, the answer, and twice as much that is decoded from it.
    expect(requests[0]!.maxBytes).toBe(1 * MIB);
    expect(budget.usedBytes).toBe(4 * MIB);
    fetcher.stop();
    await requests[0]!.answer([some]);
    expect(budget.usedBytes).toBe(0);
    expect(requests).toHaveLength(1);
  });

  it('waits before it fetches again what made no sense, and asks the leader then', async () => {
    const { fetcher, requests, turn, clock, metrics } = stage({ rack: 'rack-2' });
    const target = partition(0);
    fetcher.add({
      ...target,
      onAnswer: () => {
        throw new SkaldError('WIRE_CORRUPT', 'nonsense');
      },
    });
    await turn();
    await requests[0]!.answer([some]);
    expect(requests).toHaveLength(1);
    await clock.advance(1000);
    expect([requests.length, requests[1]!.rackId]).toEqual([2, '']);
    expect((await metrics.fetchErrors.get()).values).toMatchObject([{ labels: { code: 'WIRE_CORRUPT' } }]);
  });
});
