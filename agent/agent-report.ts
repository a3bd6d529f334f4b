/** What the agent says of itself over HTTP: gauges, health, readiness and state. */
import type { AgentMetrics } from '../shared/telemetry/agent-metrics.ts';
import type { StatusServerOptions } from '../shared/telemetry/status-server.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { PipelineSet } from './pipeline-set.ts';
import type { PipelineStatus } from './pipeline-status.ts';

export interface AgentReportOptions {
  host: string;
  /** Undefined while it is not known. */
  rack: () => string | undefined;
  set: Pick<PipelineSet, 'all'>;
  metrics: AgentMetrics;
  budget: MemoryBudget;
}

/** What `/status` and the status file say. */
export interface AgentStatus {
  host: string;
  rack: string | undefined;
  memoryBytes: number;
  memoryLimitBytes: number;
  pipelines: PipelineStatus[];
  /** Pipelines that do not carry lines, and why. */
  failed: { pipeline: string; reason: string }[];
}

export interface AgentReport extends Required<Pick<StatusServerOptions, 'refresh' | 'health' | 'readiness'>> {
  readonly status: () => AgentStatus;
  /** Another one whenever `status` would say something else, but for ages and sizes of files. Cheap. */
  readonly revision: () => string;
}

/** A pipeline that is not wanted any more counts for nothing but its state, which is shown until it has stopped. */
export function agentReport(options: AgentReportOptions): AgentReport {
  const { host, set, metrics, budget } = options;
  const wanted = () => set.all.filter((pipeline) => pipeline.wanted);
  const failures = (): string[] =>
    wanted().flatMap(({ name, failed }) => (failed === undefined ? [] : [`${name}: ${failed}`]));

  return {
    refresh: () => {
      const running = wanted().filter(
        ({ pipeline, failed }) => pipeline !== undefined && failed === undefined,
      );
      metrics.pipelines.set(running.length);
      metrics.memoryBytes.set(budget.usedBytes);
      metrics.memoryLimitBytes.set(budget.totalBytes);
      for (const { pipeline } of set.all) pipeline?.refreshMetrics();
    },
    health: () => ({ ok: failures().length === 0, reasons: failures() }),
    readiness: () => {
      const waiting = wanted().flatMap(({ name, pipeline, failed }) => {
        if (failed !== undefined) return [];
        const status = pipeline?.status();
        if (status === undefined) return [`${name}: starting`];
        return status.ready
          ? []
          : [`${name}: no metadata of topic ${status.topic} yet, or still looking for its files`];
      });
      const reasons = [...failures(), ...waiting];
      return { ok: reasons.length === 0, reasons };
    },
    status: () => ({
      host,
      rack: options.rack(),
      memoryBytes: budget.usedBytes,
      memoryLimitBytes: budget.totalBytes,
      pipelines: set.all.flatMap(({ pipeline }) => (pipeline === undefined ? [] : [pipeline.status()])),
      failed: wanted().flatMap(({ name, failed }) =>
        failed === undefined ? [] : [{ pipeline: name, reason: failed }],
      ),
    }),
    revision: () =>
      set.all
        .map(({ name, pipeline, failed = '' }) => `${name} ${pipeline?.revision() ?? ''} ${failed}`)
        .join('\n'),
  };
}
