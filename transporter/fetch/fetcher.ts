import type { Clock, Random } from '../../shared/clock.ts';
import type { TransporterConfig } from '../../shared/config/transporter-config.ts';
import { isSkaldError, SkaldError } from '../../shared/errors.ts';
import { KafkaCode, kafkaError } from '../../shared/kafka/error-codes.ts';
import type { FetchAnswer, FetchedPartition } from '../../shared/kafka/requests/fetch.ts';
import type { RepeatedLog } from '../../shared/telemetry/repeated-log.ts';
import type { TransporterMetrics } from '../../shared/telemetry/transporter-metrics.ts';
import type { Growth } from '../decode/growth.ts';
import type { KafkaPort } from '../kafka-port.ts';
import type { MemoryBudget } from '../memory-budget.ts';
import { partitionKey } from '../topic-partition.ts';
import {
  backOff,
  createCursor,
  type Cursor,
  type Failing,
  type FetchTarget,
  leaveFollower,
  sourceOf,
} from './cursor.ts';
import type { FetchSource } from './replica.ts';
import type { Topology } from './topology.ts';
import { verdictOf } from './verdict.ts';

export interface Fetcher {
  add(target: FetchTarget): void;
  remove(target: FetchTarget): void;
  /** Something changed: a target wants more, memory is free, or there is new metadata. */
  wake(): void;
  /** Lets go of every target; answers under way are not passed on. */
  stop(): void;
}

export interface FetcherOptions {
  kafka: Pick<KafkaPort, 'fetch' | 'giveBack'>;
  topology: Pick<Topology, 'view' | 'refresh'>;
  config: TransporterConfig['fetch'];
  rack: string | undefined;
  /** How long a follower that the leader named is asked before the leader is asked again. */
  preferredMaxAgeMs: number;
  budget: MemoryBudget;
  growth: Growth;
  clock: Clock;
  random: Random;
  metrics: Pick<TransporterMetrics, 'fetchedBytes' | 'crossRackBytes' | 'fetchErrors'>;
  problems: RepeatedLog;
  signal: AbortSignal;
}

interface Ask {
  cursor: Cursor;
  offset: number;
  source: FetchSource;
}

/** Below this an answer is not worth the request. */
const MIN_REQUEST_BYTES = 256 * 1024;
/**
 * With so little left of it the memory budget counts as used up at the latest; chunks are cut early before that
 * (memory-pressure.ts), or nobody would ever make room.
 */
const FULL_SHARE = 0.2;

/**
 * Fetches from each broker with at most one request at a time, for all its partitions that have appetite,
 * those first that were served longest ago. The bytes that an answer may bring, and what will become of them, are
 * taken out of the memory budget before it is asked for.
 */
export function createFetcher(options: FetcherOptions): Fetcher {
  const { kafka, topology, config, rack, budget, growth, clock, random, metrics, problems, signal } = options;
  /**
   * In the order in which they were last served: brokers fill an answer in the order of the request (KIP-74).
   */
  const cursors = new Map<string, Cursor>();
  const nodes = new Map<number, Failing & { isBusy: boolean }>();
  const reserved = budget.open();
  let isPumpDue = false;
  let timer = new AbortController();
  let timerAtMs = Infinity;

  const wake = (): void => {
    if (isPumpDue || signal.aborted) return;
    isPumpDue = true;
    queueMicrotask(pump);
  };

  const wakeAt = async (atMs: number): Promise<void> => {
    if (atMs >= timerAtMs) return;
    timerAtMs = atMs;
    timer.abort();
    timer = new AbortController();
    const mine = timer.signal;
    await clock.sleep(Math.max(0, atMs - clock.monotonicMs()), mine);
    if (mine.aborted) return;
    timerAtMs = Infinity;
    wake();
  };

  const nodeOf = (nodeId: number): Failing & { isBusy: boolean } => {
    const known = nodes.get(nodeId) ?? { isBusy: false, failures: 0, notBeforeMs: 0 };
    nodes.set(nodeId, known);
    return known;
  };

  const leastBytes = Math.min(MIN_REQUEST_BYTES, config.maxBytes);
  /** Of bytes that are asked for: the answer, what is copied out of it for the decoder, and what that makes of it. */
  const costOf = (bytes: number): number => 2 * bytes + growth.of(bytes);
  const isOverBudget = (): boolean =>
    budget.freeBytes < Math.min(costOf(leastBytes), FULL_SHARE * budget.limitBytes);
  const requestBytes = (): number =>
    Math.max(leastBytes, Math.min(config.maxBytes, Math.floor(budget.freeBytes / 4 / costOf(1))));

  const pump = (): void => {
    isPumpDue = false;
    if (signal.aborted) return;
    const nowMs = clock.monotonicMs();
    const asks = new Map<number, Ask[]>();
    for (const cursor of cursors.values()) {
      const { position, appetite, isLeaderOnly } = cursor.target;
      if (cursor.isInFlight || position === undefined || appetite === 'none') continue;
      if (appetite !== 'urgent' && isOverBudget()) continue;
      if (isLeaderOnly) leaveFollower(cursor, nowMs);
      // The leader says where the log ends and sends us back to the follower, without records.
      if (cursor.preferred !== undefined && cursor.target.isLogEndWanted) cursor.preferred = undefined;
      const source = nowMs < cursor.notBeforeMs ? undefined : sourceOf(cursor, topology.view, nowMs);
      if (source === undefined) {
        if (nowMs >= cursor.notBeforeMs) retryLater(cursor); // it has no leader
        void wakeAt(cursor.notBeforeMs);
        continue;
      }
      const node = nodeOf(source.nodeId);
      if (nowMs < node.notBeforeMs) void wakeAt(node.notBeforeMs);
      if (node.isBusy || nowMs < node.notBeforeMs) continue;
      const list = asks.get(source.nodeId) ?? [];
      list.push({ cursor, offset: position, source });
      asks.set(source.nodeId, list);
    }
    for (const [nodeId, list] of asks) {
      // What the request to the broker before may bring is taken from the budget by now.
      const allowed = isOverBudget()
        ? list.filter(({ cursor }) => cursor.target.appetite === 'urgent')
        : list;
      if (allowed.length > 0) void fetchFrom(nodeId, allowed);
    }
  };

  const fetchFrom = async (nodeId: number, asks: readonly Ask[]): Promise<void> => {
    const node = nodeOf(nodeId);
    const maxBytes = requestBytes();
    node.isBusy = true;
    for (const { cursor } of asks) cursor.isInFlight = true;
    const promised = costOf(maxBytes);
    reserved.promise(promised);
    const askedAtMs = clock.nowMs();
    const answer = await send(nodeId, asks, maxBytes);
    reserved.promise(-promised);
    node.isBusy = false;
    for (const { cursor } of asks) cursor.isInFlight = false;
    if (signal.aborted) return;
    if (answer instanceof SkaldError) {
      onNodeFailure(nodeId, asks, answer);
    } else {
      distribute(nodeId, asks, answer, askedAtMs);
      kafka.giveBack(answer);
    }
    wake();
  };

  const send = async (
    nodeId: number,
    asks: readonly Ask[],
    maxBytes: number,
  ): Promise<FetchAnswer | SkaldError> => {
    const { maxWaitMs, minBytes, maxPartitionBytes, isolation } = config;
    const nowMs = clock.monotonicMs();
    // One request has one rack. Without it every partition in it is served by the leader, which does no harm.
    const isLeaderOnly = asks.some(({ cursor }) => nowMs < cursor.onlyLeaderUntilMs);
    const partitions = asks.map(({ cursor: { target }, offset, source }) => ({
      topic: target.topic,
      topicId: target.topicId,
      partition: target.partition,
      fetchOffset: offset,
      maxBytes: Math.min(maxPartitionBytes, maxBytes),
      leaderEpoch: source.leaderEpoch,
      lastFetchedEpoch: target.lastEpoch,
    }));
    const rackId = isLeaderOnly ? '' : (rack ?? '');
    try {
      return await kafka.fetch(nodeId, { partitions, maxWaitMs, minBytes, maxBytes, isolation, rackId });
    } catch (error) {
      if (isSkaldError(error)) return error;
      throw error;
    }
  };

  const onNodeFailure = (nodeId: number, asks: readonly Ask[], error: SkaldError): void => {
    const nowMs = clock.monotonicMs();
    metrics.fetchErrors.inc({ code: error.code });
    problems.warn(`broker/${nodeId}`, { broker: nodeId, err: error }, 'cannot fetch from a broker');
    backOff(nodeOf(nodeId), nowMs, random);
    for (const { cursor, source } of asks) if (!source.isLeader) leaveFollower(cursor, nowMs);
    topology.refresh();
  };

  const distribute = (nodeId: number, asks: readonly Ask[], answer: FetchAnswer, askedAtMs: number): void => {
    nodeOf(nodeId).failures = 0;
    const byKey = new Map(answer.partitions.map((partition) => [partitionKey(partition), partition]));
    for (const ask of asks) {
      const key = partitionKey(ask.cursor.target);
      // Removed, or moved to another offset, while the request was under way: the answer is about the past.
      const isCurrent = cursors.get(key) === ask.cursor && ask.cursor.target.position === ask.offset;
      if (isCurrent) onPartition(ask, byKey.get(key) ?? { errorCode: answer.errorCode }, askedAtMs);
    }
  };

  const onPartition = (
    ask: Ask,
    answer: FetchedPartition | { errorCode: number },
    askedAtMs: number,
  ): void => {
    const { cursor, source } = ask;
    const nowMs = clock.monotonicMs();
    const verdict = verdictOf(answer, source);
    if (source.isLeader && answer.errorCode === KafkaCode.NONE && 'highWatermark' in answer) {
      cursor.target.onLogEnd(answer.highWatermark, askedAtMs);
    }
    switch (verdict.kind) {
      case 'records':
        onRecords(ask, verdict.answer);
        break;
      case 'redirected':
        cursor.preferred = { nodeId: verdict.nodeId, untilMs: nowMs + options.preferredMaxAgeMs };
        // Not before our metadata knows the follower as in sync, or leader and we would go round in a circle.
        if (sourceOf(cursor, topology.view, nowMs)?.nodeId !== verdict.nodeId) retryLater(cursor);
        break;
      case 'follower-behind':
        leaveFollower(cursor, nowMs);
        break;
      case 'out-of-range':
        cursor.target.onOutOfRange(source.leaderEpoch);
        break;
      case 'diverging':
        cursor.target.onDiverging(verdict.diverging, source.leaderEpoch);
        break;
      case 'failed': {
        const { name, message } = kafkaError(verdict.errorCode);
        onPartitionFailure(ask, name, message);
      }
    }
  };

  const onRecords = (ask: Ask, answer: FetchedPartition): void => {
    const { cursor, source } = ask;
    const { target } = cursor;
    const bytes = answer.records.length;
    if (bytes > 0) {
      metrics.fetchedBytes.inc({ topic: target.topic }, bytes);
      if (isOtherRack(source.nodeId)) metrics.crossRackBytes.inc({ topic: target.topic }, bytes);
      cursors.delete(partitionKey(target));
      cursors.set(partitionKey(target), cursor);
    }
    try {
      target.onAnswer(answer, source.leaderEpoch);
      cursor.failures = 0;
    } catch (error) {
      if (!isSkaldError(error)) throw error;
      onPartitionFailure(ask, error.code, error.message);
      leaveFollower(cursor, clock.monotonicMs());
    }
  };

  const onPartitionFailure = ({ cursor, source }: Ask, code: string, reason: string): void => {
    const { topic, partition, position } = cursor.target;
    metrics.fetchErrors.inc({ code });
    const fields = { topic, partition, offset: position, broker: source.nodeId, code, reason };
    problems.warn(`fetch/${partitionKey(cursor.target)}/${code}`, fields, 'cannot fetch a partition');
    if (!source.isLeader) leaveFollower(cursor, clock.monotonicMs());
    retryLater(cursor);
  };

  const retryLater = (cursor: Cursor): void => {
    backOff(cursor, clock.monotonicMs(), random);
    topology.refresh();
  };

  const isOtherRack = (nodeId: number): boolean => {
    const brokerRack = topology.view?.brokers.get(nodeId)?.rack;
    return rack !== undefined && brokerRack !== undefined && brokerRack !== rack;
  };

  return {
    add: (target) => {
      cursors.set(partitionKey(target), createCursor(target));
      wake();
    },
    remove: (target) => {
      const key = partitionKey(target);
      if (cursors.get(key)?.target === target) cursors.delete(key);
    },
    wake,
    stop: () => {
      cursors.clear();
      timer.abort();
    },
  };
}
