/**
 * One pipeline: discover -> tail -> batch -> publish -> checkpoint. Nothing that happens to one pipeline's files or
 * cluster holds up another: they share worker threads, connections and the memory budget, and each of those is bounded.
 */
import type { Clock, Random } from '../shared/clock.ts';
import type { PipelineConfig } from '../shared/config/pipeline-config.ts';
import { delimiterOf } from '../shared/framing/framing.ts';
import { decompressRecords } from '../shared/wire/decode-records.ts';
import type { KafkaCluster } from '../shared/kafka/cluster.ts';
import type { AgentMetrics } from '../shared/telemetry/agent-metrics.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { type RepeatedLog, repeatedLog } from '../shared/telemetry/repeated-log.ts';
import { createAttention } from './attention.ts';
import { createBatcher } from './batch/batcher.ts';
import { batchSize } from './batch/batch-size.ts';
import { createBatchBuilder } from './batch/batch-builder.ts';
import { type EncodedPart, together } from './batch/encode-batches.ts';
import { encodeQueue } from './batch/encode-queue.ts';
import type { BatchEncoder } from './batch/encoder.ts';
import type { SharedBuffers } from '../shared/shared-buffers.ts';
import { type FsyncPolicy, openJournal } from './checkpoint/journal.ts';
import type { JournalFile } from './checkpoint/journal-file.ts';
import type { DirectoryWatches } from './discover/directory-watches.ts';
import type { FileSystem, OpenFile } from './discover/file-system.ts';
import type { BudgetShare } from './memory-budget.ts';
import { byteRate } from './byte-rate.ts';
import { withClusterLog } from './cluster-log.ts';
import { fileProgress } from './file-progress.ts';
import { type PipelineStatus, pipelineStatus } from './pipeline-status.ts';
import { recordProblems } from './problems.ts';
import { rateLimit, unlimited } from './rate-limit.ts';
import { createPartitioner } from './publish/create-partitioner.ts';
import type { Decompress } from './publish/own-batches.ts';
import { createPublisher } from './publish/publisher.ts';
import type { BatchSettings } from './publish/seal.ts';
import { watchTopic } from './publish/topic-view.ts';
import { beginningAt, type LogFile } from './tail/log-file.ts';
import { createLogFiles } from './tail/log-files.ts';
import type { OpenFiles } from './tail/open-files.ts';
import { createReader } from './tail/reader.ts';
import { pipelineCounts } from './pipeline-counts.ts';

export interface PipelineOptions {
  config: PipelineConfig;
  host: string;
  rack: string | undefined;
  cluster: KafkaCluster;
  /** For what is wrong with the cluster itself, which all of its pipelines say together; without it, each for itself. */
  clusterLog?: RepeatedLog;
  metadataMaxAgeMs: number;
  journalFile: JournalFile;
  fsyncPolicy: FsyncPolicy;
  /** Those of all pipelines. */
  openFiles: OpenFiles;
  watches: DirectoryWatches;
  /** The kernel's boot id; undefined where a reboot cannot be noticed. */
  bootId?: string | undefined;
  encoder: Pick<BatchEncoder, 'encode'>;
  /** What unpacks batches that are read back, unless somebody must know when that is under way. */
  decompress?: Decompress;
  /** Encode jobs that may be under way at once; keeps the workers busy and the queue short. */
  encodeAhead: number;
  /** Of all pipelines. */
  buffers: SharedBuffers;
  budget: BudgetShare;
  fs: FileSystem;
  /** The pipeline has so many files that what is known of them takes most of the memory. */
  readonly onManyFiles: () => void;
  clock: Clock;
  random: Random;
  metrics: AgentMetrics;
  logger: Logger;
}

export interface RunningPipeline {
  status(): PipelineStatus;
  /** Another one whenever `status` would say something else, but for ages and for files that only grew. Cheap. */
  revision(): string;
  /** Brings the gauges up to date; for whoever serves the metrics. */
  refreshMetrics(): void;
  /** Stops reading at once, then waits for acknowledgements until `signal` aborts. What is open then is sent again at the next start. */
  close(signal: AbortSignal): Promise<void>;
  /** Rejects when the pipeline cannot go on: a bug, or a journal that cannot be read. */
  readonly done: Promise<void>;
}

const REPEATED_LOG_MS = 60_000;
/** Files that are read without a pause in between: short reads on local disks give nobody else a turn. */
const READS_AT_ONCE = 64;

/** Opens the journal, sends what an earlier process left open, then carries lines until `close`. */
export async function startPipeline(options: PipelineOptions): Promise<RunningPipeline> {
  const { config, cluster, encoder, budget, fs, clock, random } = options;
  const { topic, batchBytes, lingerMs } = config.kafka;
  const { watch, ...discovery } = config.discovery;
  const logger = options.logger.child({ pipeline: config.name });
  const ownLog = repeatedLog({ logger, clock, intervalMs: REPEATED_LOG_MS });
  const { clusterLog = ownLog } = options;
  const problems = recordProblems(withClusterLog(ownLog, clusterLog, config.name), clock);
  const { log } = problems;
  const counts = pipelineCounts(options.metrics, config.name, topic);
  const journal = await openJournal({
    file: options.journalFile,
    pipeline: config.name,
    topic,
    policy: options.fsyncPolicy,
    clock,
    counts,
    bootId: options.bootId,
    logger,
  });
  const progress = fileProgress(journal.state, clock);
  const carried = byteRate(clock);
  /** Of the last acknowledged batch. */
  let partition: number | undefined;
  /** Aborts reading; what is read already is still published. */
  const stopReading = new AbortController();
  /** Aborts waiting for brokers. */
  const giveUp = new AbortController();
  /** What the two loops below sleep on: an idle pipeline has nothing that ticks. */
  const names = createAttention(clock);
  const contents = createAttention(clock);
  stopReading.signal.addEventListener('abort', names.wake, { once: true });
  stopReading.signal.addEventListener('abort', contents.wake, { once: true });

  const files = createLogFiles({
    fs,
    journal,
    include: config.files.include,
    exclude: config.files.exclude,
    startAt: config.startAt,
    ...discovery,
    framing: config.framing.format,
    openFiles: options.openFiles,
    watches: watch === 'auto' ? options.watches : undefined,
    wakeNames: names.wake,
    wakeContents: contents.wake,
    onManyFiles: options.onManyFiles,
    onLost: counts.lost,
    onHole: counts.hole,
    clock,
    logger,
    log,
  });
  const topicWatch = watchTopic(cluster, topic, {
    metadataMaxAgeMs: options.metadataMaxAgeMs,
    clock,
    random,
    logger,
    log,
  });
  const { rack } = options;
  const partitioner = createPartitioner(config.partitioner, { rack, clock, random });
  const reopen = async (id: string): Promise<OpenFile | undefined> => {
    const found = await files.reopen(id);
    // Nobody follows names any more: it may only have been renamed.
    if (found === undefined && stopReading.signal.aborted)
      throw new Error('the agent stops, and looks for no files any more');
    return found;
  };
  const builder = createBatchBuilder({
    config,
    host: options.host,
    encoder,
    topicWatch,
    partitioner,
    reopen,
    counts,
    clock,
  });
  const publisher = createPublisher({
    topic,
    cluster,
    lane: `produce/${config.name}`,
    topicWatch,
    partitioner,
    journal,
    rack,
    maxInFlight: config.kafka.maxInFlight,
    requestTimeoutMs: config.kafka.requestTimeoutMs,
    host: options.host,
    pipeline: config.name,
    rebuild: builder.rebuild,
    reopen,
    delimiter: config.partitioner.type === 'keyed' ? undefined : delimiterOf(config.framing.format),
    skipsRests: config.framing.oversize !== 'split',
    decompress: options.decompress ?? decompressRecords,
    encodeLines: builder.build,
    codec: { codec: config.kafka.codec, level: config.kafka.level },
    onAcknowledged: (batch) => {
      budget.give(batch.heldBytes);
      counts.acknowledged(batch);
      progress.acknowledged(batch.intent);
      carried.add(batch.rawBytes);
      ({ partition } = batch.intent);
      contents.wake(); // its commit is to be written
    },
    onSpare: (bytes) => options.buffers.giveBack(bytes),
    onReplaced: counts.replaced,
    onReleased: (bytes) => budget.give(bytes),
    onReplayed: counts.replayed,
    onMoved: counts.moved,
    onThrottled: counts.throttled,
    onError: counts.produceError,
    clock,
    random,
    logger,
    log,
    signal: giveUp.signal,
  });

  const { oversize, format, recordTimeoutMs } = config.framing;
  const sayReplaced = ({ replacedUnits = 0, ranges }: EncodedPart): void => {
    if (replacedUnits === 0) return;
    const message = 'UTF-16 with halves of surrogate pairs that stand alone; each became U+FFFD';
    log.warn('replaced', { replacedUnits, ranges }, message);
  };
  const size = batchSize(batchBytes, () => topicWatch.maxMessageBytes);
  const queue = encodeQueue<{ settings: BatchSettings; heldBytes: number }>({
    encoder,
    buffers: options.buffers,
    batchBytes: (textBytes) => size.batchBytes(textBytes),
    maxAhead: options.encodeAhead,
    onLength: counts.queued,
    take: async (parts, { settings, heldBytes }) => {
      const batchesBytes = parts.reduce((sum, part) => sum + part.batch.length, 0);
      budget.give(heldBytes - batchesBytes); // the lines are gone, their compressed batches stay
      for (const group of together(parts)) {
        for (const part of group) {
          counts.encoded(part, oversize);
          size.note(part.rawBytes, part.batch.length);
          sayReplaced(part);
        }
        const [part] = group;
        const groupBytes = group.reduce((sum, { batch }) => sum + batch.length, 0);
        const taken =
          part!.slot === undefined
            ? await publisher.publish(part!, settings, groupBytes)
            : await publisher.publishKeyed(group, settings);
        if (!taken) budget.give(groupBytes);
      }
    },
  });
  const batcher = createBatcher<BatchSettings>({
    size,
    lingerMs,
    queue,
    settings: builder.settings,
    job: builder.job,
    clock,
  });
  const reader = createReader({
    batcher,
    buffers: options.buffers,
    budget,
    journal,
    published: async () => {
      await queue.drained();
      return !giveUp.signal.aborted;
    },
    maxRecordBytes: builder.maxRecordBytes,
    oversize,
    framing: format,
    partialLineTimeoutMs: discovery.partialLineTimeoutMs,
    recordTimeoutMs,
    onSkipped: (bytes, records) => counts.skipped(bytes, records, oversize),
    onCut: () => counts.oversized(1, oversize),
    onLost: counts.lost,
    clock,
    log,
    signal: stopReading.signal,
  });

  const { bytesPerSecond, burstBytes = bytesPerSecond } = config.limits;
  const rate =
    bytesPerSecond === undefined || burstBytes === undefined
      ? unlimited
      : rateLimit({ bytesPerSecond, burstBytes, onLimited: counts.rateLimited, clock });

  /** Goes on while brokers hold up the reading: a file that comes and is rotated away unseen would be lost. */
  const keepLooking = async (): Promise<void> => {
    while (!stopReading.signal.aborted) {
      await names.wait(files.lookLeftMs());
      if (stopReading.signal.aborted) return;
      if (files.lookLeftMs() <= 0) await files.look();
      await journal.flush(); // what was found is found again after a crash, under whatever name
    }
  };

  const carry = async (): Promise<void> => {
    await publisher.resume();
    // Nothing has been read yet; what was found to be in the topic already is behind these positions now.
    for (const file of files.all) {
      const { offset, skipping, restBytes } = file.state;
      if (file.position.offset === offset) continue;
      file.position = { offset, skipping, restBytes };
      file.mark = undefined;
    }
    // Without the topic nothing could be sent: leave the lines where they are safe, in their files.
    await topicWatch.first(stopReading.signal);
    /** Where the limit stopped the last round: the next one begins there, so that the first file does not get it all. */
    let next: LogFile | undefined;
    while (!stopReading.signal.aborted) {
      let progressed = false;
      const work = files.withWork();
      for (const { state, sizeBytes } of work) progress.saw(state, sizeBytes);
      for (const [i, file] of beginningAt(work, next).entries()) {
        if (i % READS_AT_ONCE === READS_AT_ONCE - 1) await clock.sleep(0);
        if (stopReading.signal.aborted) break;
        const maxBytes = rate.allowance();
        if (maxBytes === 0) {
          next = file;
          break;
        }
        const { offset } = file.position;
        const moved =
          files.useNow(file, (open) => reader.readNow(open, maxBytes)) ??
          (await files.use(file, (open) => reader.readSome(open, maxBytes)));
        if (moved === true) progressed = true;
        rate.took(Math.max(0, file.position.offset - offset));
        if (batcher.isDue()) await batcher.handOver();
      }
      if (batcher.isDueAtRest()) await batcher.handOver();
      if (!progressed) {
        const looksLeftMs = Math.min(files.pollLeftMs(), journal.flushLeftMs());
        await contents.wait(Math.min(looksLeftMs, batcher.lingerLeftMs(), rate.waitMs()));
      }
      if (files.pollLeftMs() <= 0) await files.poll();
      if (journal.flushLeftMs() <= 0) await journal.flush();
    }
    await journal.flush(); // brokers may take longer to answer than we have
    await batcher.handOver();
    await queue.drained();
  };

  /** The first look at all files is over. With a million of them it takes minutes. */
  let scanned = false;
  const run = async (): Promise<void> => {
    await files.scan();
    scanned = true;
    await journal.flush();
    try {
      await Promise.all([carry(), keepLooking()]);
    } finally {
      stopReading.abort(); // when one of the two has failed
    }
  };

  /** How far everything was when it was closed. */
  let last: PipelineStatus | undefined;
  const status = (): PipelineStatus =>
    last ??
    pipelineStatus({
      pipeline: config.name,
      topic,
      ready: topicWatch.view !== undefined && scanned,
      bytesPerSecond: carried.perSecond(),
      partition,
      inFlightBatches: publisher.inFlight,
      files: files.all,
      journal: journal.state,
      progress,
      problems,
      clock,
    });

  const done = run();
  done.catch(() => {}); // the agent watches it
  counts.watch(status);

  let closing: Promise<void> | undefined;
  const close = async (signal: AbortSignal): Promise<void> => {
    stopReading.abort();
    if (signal.aborted) giveUp.abort();
    signal.addEventListener('abort', () => giveUp.abort(), { once: true });
    await done.catch(() => {}); // reported by the agent
    await publisher.drained(giveUp.signal);
    giveUp.abort();
    last = status();
    topicWatch.close();
    await files.close();
    await journal.close();
    log.flush();
    counts.forget();
  };
  const revision = (): string => `${counts.changes}/${problems.count}/${[...files.all].length}`;
  return {
    status,
    revision,
    refreshMetrics: counts.refresh,
    done,
    close: (signal) => (closing ??= close(signal)),
  };
}
