/**
 * Carries one partition from a committed offset on: keeps the intent that an earlier owner left, then gather
 * -> cut -> intent -> upload -> commit, one chunk after the other. What follows a cut is gathered while the
 * chunk is uploaded.
 */
import type { Clock, Random } from '../shared/clock.ts';
import { bucketFolderProblem } from '../shared/config/object-layout.ts';
import type { TopicConfig } from '../shared/config/topic-config.ts';
import type { FetchedPartition } from '../shared/kafka/requests/fetch.ts';
import type { CommittedOffset } from '../shared/kafka/requests/offsets.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import type { RepeatedLog } from '../shared/telemetry/repeated-log.ts';
import type { CommitQueue } from './chunk/commit-queue.ts';
import { cutDue, type CutReason, MAX_BUCKETS } from './chunk/cut-policy.ts';
import { createGatherer, type Gatherer, type GathererOptions } from './chunk/gatherer.ts';
import { decodeIntent, type Intent } from './chunk/intent.ts';
import type { Chunk, ChunkObject } from './chunk/open-chunk.ts';
import type { ReplayQueue } from './chunk/replay-queue.ts';
import {
  type MarkedChunk,
  nameInStore,
  rewriteChunk,
  writeChunk,
  type WriteChunkOptions,
} from './chunk/write-chunk.ts';
import { bucketMarkers } from './complete/bucket-markers.ts';
import { lateObjects } from './complete/late-objects.ts';
import { createPartitionProgress } from './complete/partition-progress.ts';
import { decodeProgress, type Progress } from './complete/progress.ts';
import type { Decoder } from './decode/decoder.ts';
import type { Growth } from './decode/growth.ts';
import type { LogToCarry } from './committed-log.ts';
import type { FetchTarget } from './fetch/cursor.ts';
import { createLeaderEpochs } from './fetch/leader-epochs.ts';
import type { AskLogOffset } from './fetch/log-offsets.ts';
import { watchOpenTransaction } from './fetch/open-transaction.ts';
import type { FlowCounts } from './flow-counts.ts';
import type { MemoryAccount } from './memory-budget.ts';
import type { Holder } from './memory-pressure.ts';
import { createLogParting } from './log-parting.ts';
import { createPartitionOffset } from './partition-offset.ts';
import type { PatientStore } from './store/patient-store.ts';
import { createWakeup } from './wakeup.ts';

export interface CarryOptions {
  partition: number;
  /** Names, format, codec and limits of the chunks of its topic. */
  config: TopicConfig;
  maxUndecodedBytes: number;
  commits: Pick<CommitQueue, 'commit'>;
  askLogOffset: AskLogOffset;
  replays: ReplayQueue;
  store: PatientStore;
  /** What is known of time for a partition that the group has not read before. @throws SkaldError */
  firstProgress: () => Promise<Progress>;
  decoder: Decoder;
  growth: Growth;
  clock: Clock;
  random: Random;
  counts: FlowCounts;
  problems: RepeatedLog;
  logger: Logger;
  /** Appetite, or what is held, has changed. */
  onChange: () => void;
}

export interface Carrying extends Omit<FetchTarget, 'topic' | 'partition'>, Holder {
  readonly state: 'starting' | 'replaying' | 'carrying';
  /** Whether this is the offset and metadata that we committed last, or are about to. */
  knows(found: CommittedOffset): boolean;
  readonly committedOffset: number;
  /** Every bucket of the topic that ended by this time is finished: to be committed. */
  mark(markedMs: number): void;
  /** Every bucket of the topic that ended by this time is about to be finished: to be committed. */
  close(closedMs: number): void;
  readonly highWatermark: number | undefined;
  /** See OpenTransaction; 0 while there is none. */
  readonly openTransactionMs: number;
  /** Monotonic time at which the oldest batch came that is not committed. */
  readonly oldestMs: number | undefined;
  /** Time has passed: perhaps a cut is due. */
  check(): void;
  /** The memory budget is nearly used up. */
  cutEarly(): void;
  /**
   * Takes nothing more; `done` resolves when all that was taken is committed. An unfinished replay is left to
   * the next owner.
   */
  drain(): void;
  /** @throws SkaldError, the signal's reason, or a bug */
  readonly done: Promise<void>;
}

/**
 * `found` is what the group has for the partition, and of which log; the bytes held are of `account`; everything ends with the
 * signal.
 */
export function carryPartition(
  { committed: found, topicId, log, startFrom }: LogToCarry,
  account: MemoryAccount,
  signal: AbortSignal,
  options: CarryOptions,
): Carrying {
  const { partition, config, clock, counts, logger } = options;
  const { topic, chunk: limits } = config;
  const openTransaction = watchOpenTransaction({ topic, partition }, options);
  const changed = createWakeup();
  const foundProgress = decodeProgress(found.metadata);
  const progress = createPartitionProgress(foundProgress, { ...config, graceMs: limits.bucketGraceMs });
  const epochs = createLeaderEpochs(foundProgress.epochs);
  const offsets = createPartitionOffset(
    { topic, partition },
    { committed: found, log },
    { progress, epochs, commits: options.commits, signal },
  );
  const parting = createLogParting({ topic, partition }, { ...options, topicId, epochs, offsets, signal });
  let state: Carrying['state'] = 'starting';
  let gatherer: Gatherer | undefined;
  let replayEnd: number | undefined;
  let uploading: { chunk: Chunk; openedAtMs: number | undefined } | undefined;
  let highWatermark: number | undefined;
  let isDraining = false;
  let isPressed = false;

  const notify = (): void => {
    changed.notify();
    options.onChange();
  };

  const run = async (): Promise<void> => {
    let { offset } = found;
    const intent = decodeIntent(found.metadata, found.offset);
    if (offset < 0) {
      offset = await options.askLogOffset({ topic, partition }, startFrom, signal);
      progress.startFrom(await options.firstProgress());
      // So that a later owner starts here too, wherever the log begins or ends by then.
      await offsets.commit(offset);
    }
    const start = intent === undefined ? offset : await replay(offset, intent);
    if (start !== undefined) await carryOn(start);
  };

  /** The offset to carry on from; undefined when it was given up to stop. */
  const replay = async (start: number, intent: Intent): Promise<number | undefined> => {
    const leave = await options.replays.enter(intent.objectBytes, signal);
    try {
      const fields = { topic, partition, start, end: intent.end };
      logger.info(fields, 'making a chunk again that an earlier owner has promised');
      state = 'replaying';
      // A promise of before there were ids is kept as it was given.
      const replayed = gather({ start, end: intent.end, layout: intent.layout, log: foundProgress.log });
      replayEnd = intent.end;
      notify();
      while (replayed.decodedTo < intent.end) {
        signal.throwIfAborted();
        if (isDraining) return undefined;
        if (parting.isDue) await parting.leaveRest(replayed, intent.end);
        else if (replayed.position < intent.end) await changed.wait(signal);
        else await flushToEnd(replayed, intent.end);
      }
      await upload(replayed, rewriteChunk);
      counts.replayed();
      return parting.isDue ? await parting.move(intent.end) : intent.end;
    } finally {
      replayEnd = undefined;
      leave();
    }
  };

  /** Everything is decoded then, or something was damaged and is fetched once more. */
  const flushToEnd = async (replayed: Gatherer, end: number): Promise<void> => {
    await replayed.flush();
    if (replayed.position < end || replayed.decodedTo === end) return;
    throw new Error(`${topic}/${partition} is decoded to ${replayed.decodedTo}, not to ${end}`);
  };

  const carryOn = async (start: number): Promise<void> => {
    state = 'carrying';
    let gathered = gather({ start, layout: config, log: offsets.log });
    notify();
    for (;;) {
      const reason = await nextCut();
      if (reason === 'drained') return;
      await gathered.flush();
      signal.throwIfAborted();
      isPressed = false;
      if (gathered.decodedTo > gathered.chunkStart) {
        if (reason !== 'moved') counts.cut(reason);
        await upload(gathered, writeChunk);
      }
      if (parting.isDue) {
        const from = await parting.move(gathered.chunkStart);
        gathered = gather({ start: from, layout: config, log: offsets.log });
      }
      notify();
    }
  };

  const gather = ({
    log: ofLog,
    ...range
  }: Pick<GathererOptions, 'start' | 'end' | 'layout'> & Pick<LogToCarry, 'log'>): Gatherer => {
    gatherer = createGatherer({
      ...range,
      partition: { topic, partition, log: ofLog },
      limits,
      epochs,
      decoder: options.decoder,
      growth: options.growth,
      account,
      clock,
      onProgress: notify,
      onDecoded: (decoded) => counts.decoded(decoded),
    });
    return gatherer;
  };

  const nextCut = async (): Promise<CutReason | 'moved' | 'drained'> => {
    for (;;) {
      signal.throwIfAborted();
      if (parting.isDue) return 'moved';
      const due = cutDueNow();
      if (due !== undefined) return due;
      if (isDraining) return 'drained';
      if (progress.isDue(offsets.committed)) await offsets.commit(offsets.committed);
      else await changed.wait(signal);
    }
  };

  const cutDueNow = (): CutReason | undefined => {
    const facts = gatherer?.facts;
    if (facts === undefined) return undefined;
    if (isDraining) return 'shutdown';
    if (isPressed) return 'pressure';
    const takenToMs = progress.takenToMs(gatherer!.position);
    return cutDue(facts, limits, { monotonicMs: clock.monotonicMs(), takenToMs });
  };

  const upload = async (
    gathered: Gatherer,
    write: (chunk: MarkedChunk, options: WriteChunkOptions) => Promise<void>,
  ): Promise<void> => {
    const openedAtMs = gathered.facts?.openedAtMs;
    const chunk = gathered.cut();
    uploading = { chunk, openedAtMs };
    const late = lateObjects(chunk, progress.committed.through);
    const nameOf = (object: ChunkObject): Promise<string> =>
      nameInStore(object, { store: options.store, signal });
    const markers = hasFolders(chunk) ? await bucketMarkers(chunk, late, nameOf) : [];
    await write({ ...chunk, markers }, { ...options, commit, signal });
    uploading = undefined;
    account.add(-chunk.objectBytes);
    counts.stored(chunk, late);
  };

  const hasFolders = ({ layout: { template, bucket } }: Chunk): boolean =>
    config.success && bucketFolderProblem(template, bucket) === undefined;

  const commit = async (offset: number, intent?: Intent): Promise<void> => {
    await offsets.commit(offset, intent);
    if (intent !== undefined) counts.intent();
  };

  const appetite = (): FetchTarget['appetite'] => {
    if (gatherer === undefined || isDraining || parting.isAsking || parting.isDue) return 'none';
    if (gatherer.undecodedBytes >= options.maxUndecodedBytes) return 'none';
    if (replayEnd !== undefined) return gatherer.position < replayEnd ? 'urgent' : 'none';
    const { bytes = 0, buckets = 0 } = gatherer.facts ?? {};
    const isFull = bytes >= limits.maxBytes || buckets > MAX_BUCKETS;
    return state === 'replaying' || (isFull && uploading !== undefined) ? 'none' : 'normal';
  };

  const onAnswer = (answer: FetchedPartition, leaderEpoch: number): void => {
    ({ highWatermark } = answer);
    openTransaction.look(answer);
    parting.reset();
    gatherer?.take(answer, leaderEpoch);
    if (answer.records.length > 0) notify();
  };

  return {
    topicId,
    get state() {
      return state;
    },
    get position() {
      return gatherer?.position;
    },
    get lastEpoch() {
      return gatherer === undefined ? undefined : epochs.before(gatherer.position);
    },
    get appetite() {
      return appetite();
    },
    get isLeaderOnly() {
      return gatherer?.isSecondLook ?? false;
    },
    get committedOffset() {
      return offsets.committed;
    },
    get highWatermark() {
      return highWatermark;
    },
    get openTransactionMs() {
      return openTransaction.ms;
    },
    get oldestMs() {
      return uploading?.openedAtMs ?? gatherer?.facts?.openedAtMs;
    },
    get cuttableBytes() {
      const isOpen = state === 'carrying' && uploading === undefined && gatherer?.facts !== undefined;
      return isOpen ? account.usedBytes : 0;
    },
    get leavingBytes() {
      return uploading?.chunk.objectBytes ?? 0;
    },
    knows: (committed) => offsets.knows(committed),
    get isLogEndWanted() {
      return progress.isLogEndWanted(clock.nowMs());
    },
    onLogEnd: (offset, askedAtMs) => progress.sawLogEnd(offset, askedAtMs),
    onAnswer,
    onOutOfRange: (leaderEpoch) => {
      if (gatherer !== undefined) void parting.onOutOfRange(gatherer, leaderEpoch, replayEnd).finally(notify);
    },
    onDiverging: (diverging, leaderEpoch) => {
      if (gatherer === undefined) return;
      parting.onDiverging(diverging, leaderEpoch, gatherer.position);
      notify();
    },
    mark: (markedMs) => progress.mark(markedMs),
    close: (closedMs) => progress.close(closedMs),
    check: () => {
      if (uploading !== undefined || state !== 'carrying') return;
      if (cutDueNow() !== undefined || progress.isDue(offsets.committed)) changed.notify();
    },
    cutEarly: () => {
      isPressed = true;
      changed.notify();
    },
    drain: () => {
      isDraining = true;
      changed.notify();
    },
    done: run(),
  };
}
