/**
 * The agent: for each pipeline, discover -> tail -> batch -> publish -> checkpoint (pipeline.ts has that flow). This file
 * owns what pipelines share: the state directory, worker threads, connections, the memory budget, the status server.
 * Which pipelines run follows their folder: reload.ts looks at it, pipeline-set.ts starts, stops and replaces.
 */
import path from 'node:path';
import { type Clock, type Random, systemClock } from '../shared/clock.ts';
import type { AgentConfig } from '../shared/config/agent-config.ts';
import type { Ec2Placement } from '../shared/config/ec2-placement.ts';
import type { Environment } from '../shared/config/interpolate.ts';
import type { PipelineConfig } from '../shared/config/pipeline-config.ts';
import { rackInTime } from '../shared/config/with-rack.ts';
import { pipelineFolder } from '../shared/config/pipeline-folder.ts';
import { openCluster } from '../shared/kafka/cluster.ts';
import { AGENT_METRICS, createAgentMetrics } from '../shared/telemetry/agent-metrics.ts';
import { forgetSeries } from '../shared/telemetry/forget-series.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { type RepeatedLog, repeatedLog } from '../shared/telemetry/repeated-log.ts';
import { createRegistry } from '../shared/telemetry/metrics.ts';
import { startStatusServer } from '../shared/telemetry/status-server.ts';
import { agentReport } from './agent-report.ts';
import { fairEncoder } from './batch/fair-encoder.ts';
import { pooledEncoder } from './batch/encoder.ts';
import { sharedBuffers } from '../shared/shared-buffers.ts';
import { readBootId } from './checkpoint/boot-id.ts';
import { openJournalFile } from './checkpoint/journal-file.ts';
import { createDirectoryWatches } from './discover/directory-watches.ts';
import { openFilesOfProcess } from './descriptor-limit.ts';
import { nodeFileSystem } from './discover/file-system.ts';
import { memoryBudget } from './memory-budget.ts';
import { type RunningPipeline, startPipeline } from './pipeline.ts';
import type { PipelineStatus } from './pipeline-status.ts';
import { createPipelineSet } from './pipeline-set.ts';
import { startReloading } from './reload.ts';
import { sharedClusters } from './shared-clusters.ts';
import { keepHeapSmall } from './small-heap.ts';
import { lockStateDirectory } from './state-lock.ts';
import { STATUS_FILE, startStatusFile } from './status-file.ts';
import { createOpenFiles } from './tail/open-files.ts';

export interface AgentOptions {
  config: AgentConfig;
  /** Fills in the variables of pipeline files. */
  env: Environment;
  logger: Logger;
  clock?: Clock;
  random?: Random;
}

export interface RunningAgent {
  /** Port of the status server; undefined when it is off. */
  readonly statusPort: number | undefined;
  /** Takes over the pipeline files at once; returns before pipelines have stopped or started. */
  reload(): void;
  /** Why only a new process helps; undefined while all is well. Brokers and files that are away are not a reason. */
  wedged(): string | undefined;
  /** Stops reading, waits for acknowledgements up to `shutdownTimeoutMs`, and lets go of everything. Twice is fine. */
  close(): Promise<void>;
  /** Resolves after `close`; rejects when there are pipelines and none of them can go on. */
  readonly done: Promise<void>;
}

const REPEATED_LOG_MS = 60_000;
/** Of the memory budget, for buffers that wait for the next read. */
const SPARE_SHARE = 1 / 8;

/** Runs with whatever pipelines there are, also with none. @throws SkaldError STATE_DIR_LOCKED, STATE_DIR_UNUSABLE, STATUS_LISTEN_FAILED */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const { config, logger } = options;
  const { host, rackFrom, stateDir, limits } = config;
  let { rack } = config;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const lock = await lockStateDirectory(stateDir);
  const registry = createRegistry();
  const metrics = createAgentMetrics(registry);
  const budget = memoryBudget(limits.memoryBytes);
  const buffers = sharedBuffers(limits.memoryBytes * SPARE_SHARE);
  const encoder = await pooledEncoder(limits.encodeThreads, clock).catch(async (error: unknown) => {
    await lock.release();
    throw error;
  });
  const threads = fairEncoder(encoder, limits.encodeThreads, clock);
  const clusters = sharedClusters((name) =>
    openCluster(config.clusters[name]!, { logger: logger.child({ cluster: name }), random }),
  );
  const clusterLogs = new Map<string, RepeatedLog>();
  const clusterLogOf = (cluster: string): RepeatedLog => {
    const known = clusterLogs.get(cluster);
    const log =
      known ?? repeatedLog({ logger: logger.child({ cluster }), clock, intervalMs: REPEATED_LOG_MS });
    clusterLogs.set(cluster, log);
    return log;
  };
  let closing: Promise<void> | undefined;
  /** Of the pipelines that have ended with the agent; for its last words. */
  const lastStatus: PipelineStatus[] = [];
  const openFiles = createOpenFiles(nodeFileSystem, openFilesOfProcess(limits.maxOpenFiles, logger));
  const watches = createDirectoryWatches({
    fs: nodeFileSystem,
    maxWatches: limits.maxWatchedDirectories,
    clock,
    log: repeatedLog({ logger, clock, intervalMs: REPEATED_LOG_MS }),
  });
  const bootId = await readBootId();
  const directoryOf = (name: string): string => path.join(stateDir, 'pipelines', name);

  const startOne = async (pipeline: PipelineConfig): Promise<RunningPipeline> => {
    const { cluster } = pipeline.kafka;
    const share = budget.share(cluster);
    const lease = clusters.lease(cluster);
    const giveBack = async (): Promise<void> => {
      share.close();
      await lease.release();
    };
    try {
      const running = await startPipeline({
        config: pipeline,
        host,
        rack,
        cluster: lease.cluster,
        clusterLog: clusterLogOf(cluster),
        metadataMaxAgeMs: config.clusters[cluster]!.metadataMaxAgeMs,
        journalFile: await openJournalFile(path.join(directoryOf(pipeline.name), 'journal')),
        fsyncPolicy: config.journal,
        openFiles,
        watches,
        bootId,
        encoder: threads.share(),
        encodeAhead: limits.encodeThreads + 1,
        buffers,
        budget: share,
        fs: nodeFileSystem,
        onManyFiles: keepHeapSmall,
        clock,
        random,
        metrics,
        logger,
      });
      const close = async (signal: AbortSignal): Promise<void> => {
        try {
          await running.close(signal);
          if (closing !== undefined) lastStatus.push(running.status());
        } finally {
          await giveBack();
        }
      };
      return { ...running, close };
    } catch (error) {
      await giveBack();
      throw error;
    }
  };

  const set = createPipelineSet({
    start: startOne,
    onRemoved: async (pipeline) => {
      await forgetSeries(metrics, AGENT_METRICS, { pipeline });
      logger.info(
        { pipeline, stateDir: directoryOf(pipeline) },
        'the pipeline has stopped; its journal stays, and when its file comes back it goes on from there',
      );
    },
    drainMs: config.shutdownTimeoutMs,
    clock,
    logger,
  });
  const report = agentReport({ host, rack: () => rack, set, metrics, budget });

  const letGo = async (): Promise<void> => {
    await set.close();
    await encoder.close();
    await lock.release();
  };
  const statusServer =
    config.status === false
      ? undefined
      : await startStatusServer({ ...config.status, ...report, registry, logger }).catch(
          async (error: unknown) => {
            await letGo();
            throw error;
          },
        );

  const statusFile = config.statusFile
    ? startStatusFile({
        path: path.join(stateDir, STATUS_FILE),
        revision: report.revision,
        report: () => {
          const status =
            closing === undefined ? report.status() : { ...report.status(), pipelines: lastStatus };
          return { status, moves: status.pipelines.some(({ lagBytes }) => lagBytes > 0) };
        },
        clock,
        logger,
      })
    : undefined;

  logger.info({ host, rack, pipelinesDir: config.pipelinesDir, stateDir }, 'the agent runs');
  const reloading = startReloading({
    folder: pipelineFolder(config.pipelinesDir, config, options.env),
    set,
    intervalMs: config.reloadIntervalMs,
    onRefused: (files) => metrics.refusedPipelineFiles.set(files),
    clock,
    logger,
  });

  const learning = new AbortController();
  /** The start did not wait for it: pipelines run without a rack until it is known, then with it. */
  const learnRack = async (from: Ec2Placement): Promise<void> => {
    const found = await rackInTime(from, { logger, clock, random, signal: learning.signal });
    if (found === undefined) return;
    rack = found;
    set.startAllAgain();
  };
  const learned = rack === undefined && rackFrom !== undefined ? learnRack(rackFrom) : undefined;

  const close = (): Promise<void> =>
    (closing ??= (async () => {
      learning.abort();
      await learned;
      await reloading.close();
      await set.close();
      await statusFile?.close();
      await letGo();
      await statusServer?.close();
      for (const log of clusterLogs.values()) log.flush();
      logger.info('the agent has stopped');
    })());

  const done = Promise.all([set.done, reloading.done]).then(() => closing);
  done.catch(() => {}); // whoever wants it has it
  return {
    statusPort: statusServer?.port,
    reload: () => reloading.now(),
    wedged: encoder.wedged,
    close,
    done,
  };
}
