/**
 * The agent: for each pipeline, discover -> tail -> batch -> publish -> checkpoint (pipeline.ts has that flow). This file
 * owns what pipelines share: the state directory, worker threads, connections, the memory budget, the status server.
 */
import path from 'node:path';
import { type Clock, type Random, systemClock } from '../shared/clock.ts';
import type { AgentConfig } from '../shared/config/agent-config.ts';
import type { PipelineConfig } from '../shared/config/pipeline-config.ts';
import { messageOf } from '../shared/errors.ts';
import { type KafkaCluster, openCluster } from '../shared/kafka/cluster.ts';
import { createAgentMetrics } from '../shared/telemetry/agent-metrics.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { createRegistry } from '../shared/telemetry/metrics.ts';
import { startStatusServer } from '../shared/telemetry/status-server.ts';
import { pooledEncoder } from './batch/encoder.ts';
import { openJournalFile } from './checkpoint/journal-file.ts';
import { nodeFileSystem } from './discover/file-system.ts';
import { memoryBudget } from './memory-budget.ts';
import { type RunningPipeline, startPipeline } from './pipeline.ts';
import { lockStateDirectory } from './state-lock.ts';

export interface AgentOptions {
  config: AgentConfig;
  pipelines: readonly PipelineConfig[];
  logger: Logger;
  clock?: Clock;
  random?: Random;
}

export interface RunningAgent {
  /** Port of the status server; undefined when it is off. */
  readonly statusPort: number | undefined;
  /** Stops reading, waits for acknowledgements up to `shutdownTimeoutMs`, and lets go of everything. Twice is fine. */
  close(): Promise<void>;
  /** Resolves after `close`; rejects when no pipeline can go on. */
  readonly done: Promise<void>;
}

/** @throws SkaldError STATE_DIR_LOCKED, STATE_DIR_UNUSABLE, STATUS_LISTEN_FAILED */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const { config, logger } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const lock = await lockStateDirectory(config.stateDir);
  const registry = createRegistry();
  const metrics = createAgentMetrics(registry);
  const budget = memoryBudget(config.limits.memoryBytes);
  const encoder = pooledEncoder(config.limits.encodeThreads);
  const clusters = new Map<string, KafkaCluster>();
  const pipelines = new Map<string, RunningPipeline>();
  const failed = new Map<string, string>();

  const clusterOf = (name: string): KafkaCluster => {
    const known = clusters.get(name);
    if (known !== undefined) return known;
    const cluster = openCluster(config.clusters[name]!, { logger: logger.child({ cluster: name }), random });
    clusters.set(name, cluster);
    return cluster;
  };

  const startOne = async (pipeline: PipelineConfig): Promise<void> => {
    const running = await startPipeline({
      config: pipeline,
      host: config.host,
      rack: config.rack,
      cluster: clusterOf(pipeline.kafka.cluster),
      metadataMaxAgeMs: config.clusters[pipeline.kafka.cluster]!.metadataMaxAgeMs,
      journalFile: await openJournalFile(path.join(config.stateDir, 'pipelines', pipeline.name, 'journal')),
      fsyncPolicy: config.journal,
      maxOpenFiles: config.limits.maxOpenFiles,
      encoder,
      encodeAhead: config.limits.encodeThreads + 1,
      budget,
      fs: nodeFileSystem,
      clock,
      random,
      metrics,
      logger,
    });
    pipelines.set(pipeline.name, running);
    running.done.catch((error: unknown) => fail(pipeline.name, error));
  };

  const fail = (name: string, error: unknown): void => {
    failed.set(name, messageOf(error));
    logger.error(
      { pipeline: name, err: error },
      'a pipeline has stopped; its lines wait in their files. The others go on. Restart the agent, and report this',
    );
  };

  for (const pipeline of options.pipelines) {
    // One pipeline that cannot start must not keep the others from theirs.
    await startOne(pipeline).catch((error: unknown) => fail(pipeline.name, error));
  }
  logger.info(
    { host: config.host, rack: config.rack, pipelines: [...pipelines.keys()], stateDir: config.stateDir },
    'the agent runs',
  );

  const refreshMetrics = (): void => {
    metrics.pipelines.set(pipelines.size - failed.size);
    metrics.memoryBytes.set(budget.usedBytes);
    metrics.memoryLimitBytes.set(budget.totalBytes);
    for (const pipeline of pipelines.values()) pipeline.refreshMetrics();
  };
  const notReady = (): string[] =>
    [...pipelines.values()]
      .map((p) => p.status())
      .filter((s) => !s.ready)
      .map((s) => `${s.pipeline}: no metadata of topic ${s.topic} yet`);

  const closePipelines = async (): Promise<void> => {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), config.shutdownTimeoutMs);
    await Promise.all([...pipelines.values()].map((pipeline) => pipeline.close(patience.signal)));
    clearTimeout(timer);
    if (patience.signal.aborted) {
      logger.warn(
        { shutdownTimeoutMs: config.shutdownTimeoutMs },
        'not everything was acknowledged in time; it is sent again at the next start',
      );
    }
    await encoder.close();
    for (const cluster of clusters.values()) await cluster.close();
    await lock.release();
  };

  const statusServer =
    config.status === false
      ? undefined
      : await startStatusServer({
          ...config.status,
          registry,
          refresh: refreshMetrics,
          health: () => ({
            ok: failed.size === 0,
            reasons: [...failed].map(([name, why]) => `${name}: ${why}`),
          }),
          readiness: () => ({ ok: notReady().length === 0 && failed.size === 0, reasons: notReady() }),
          status: () => ({
            host: config.host,
            rack: config.rack,
            pipelines: [...pipelines.values()].map((p) => p.status()),
          }),
          logger,
        }).catch(async (error: unknown) => {
          await closePipelines();
          throw error;
        });

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      await closePipelines();
      await statusServer?.close();
      logger.info('the agent has stopped');
    })());

  const done = Promise.all([...pipelines.values()].map((pipeline) => pipeline.done)).then(async () => {
    await closing;
  });
  done.catch(() => {}); // whoever wants it has it
  return { statusPort: statusServer?.port, close, done };
}
