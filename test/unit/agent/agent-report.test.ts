import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { agentReport } from '../../../agent/agent-report.ts';
import { memoryBudget } from '../../../agent/memory-budget.ts';
import type { RunningPipeline } from '../../../agent/pipeline.ts';
import type { PipelineState } from '../../../agent/pipeline-set.ts';
import { createAgentMetrics } from '../../../shared/telemetry/agent-metrics.ts';
import { someStatus } from './some-status.ts';

function pipeline(name: string, ready: boolean): RunningPipeline {
  return {
    status: () => someStatus({ pipeline: name, ready }),
    revision: () => '',
    refreshMetrics: () => undefined,
    close: () => Promise.resolve(),
    done: Promise.resolve(),
  };
}

function state(name: string, parts: Partial<PipelineState> = {}): PipelineState {
  return { name, pipeline: pipeline(name, true), wanted: true, failed: undefined, ...parts };
}

function reportOf(...all: PipelineState[]) {
  const registry = new Registry();
  const metrics = createAgentMetrics(registry);
  const report = agentReport({
    host: 'h',
    rack: () => 'r',
    set: { all },
    metrics,
    budget: memoryBudget(100),
  });
  const gauge = async (): Promise<number | undefined> => {
    report.refresh();
    return (await metrics.pipelines.get()).values[0]?.value;
  };
  return { ...report, gauge };
}

test('an agent without pipelines is healthy and ready: it waits', async () => {
  const report = reportOf();
  expect([report.health(), report.readiness()]).toEqual([
    { ok: true, reasons: [] },
    { ok: true, reasons: [] },
  ]);
  expect(await report.gauge()).toBe(0);
});

test('it is not ready while a pipeline starts or waits for its topic, and healthy all the same', async () => {
  const report = reportOf(
    state('a'),
    state('b', { pipeline: undefined }),
    state('c', { pipeline: pipeline('c', false) }),
  );
  expect(report.health().ok).toBe(true);
  expect(report.readiness()).toEqual({
    ok: false,
    reasons: ['b: starting', 'c: no metadata of topic t yet, or still looking for its files'],
  });
  expect(await report.gauge()).toBe(2);
});

test('a pipeline that failed makes it neither healthy nor ready, with the reason', async () => {
  const report = reportOf(state('a'), state('b', { failed: 'a bug' }));
  expect([report.health(), report.readiness()]).toEqual([
    { ok: false, reasons: ['b: a bug'] },
    { ok: false, reasons: ['b: a bug'] },
  ]);
  expect(await report.gauge()).toBe(1);
});

test('one that was removed counts for nothing while it drains, but is still shown', async () => {
  const report = reportOf(state('a', { wanted: false, failed: 'a bug', pipeline: pipeline('a', false) }));
  expect([report.health().ok, report.readiness().ok]).toEqual([true, true]);
  expect(await report.gauge()).toBe(0);
  expect(report.status()).toMatchObject({ host: 'h', rack: 'r', pipelines: [{ pipeline: 'a' }] });
});
