import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { forgetSeries } from '../../../shared/telemetry/forget-series.ts';
import { createMetrics, type MetricCatalogue } from '../../../shared/telemetry/metrics.ts';

const CATALOGUE = {
  lines: { type: 'counter', name: 'x_lines_total', help: 'h', unit: 'lines', labels: ['pipeline', 'reason'] },
  seconds: { type: 'histogram', name: 'x_seconds', help: 'h', unit: 'seconds', labels: ['pipeline'] },
  lag: { type: 'gauge', name: 'x_lag', help: 'h', unit: 'bytes', labels: ['pipeline'] },
  all: { type: 'gauge', name: 'x_all', help: 'h', unit: 'things', labels: [] },
} as const satisfies MetricCatalogue;

test('every series of one pipeline goes, whatever its other labels; those of others stay', async () => {
  const registry = new Registry();
  const metrics = createMetrics(CATALOGUE, registry);
  for (const pipeline of ['gone', 'stays']) {
    metrics.lines.inc({ pipeline, reason: 'a' }, 3);
    metrics.lines.inc({ pipeline, reason: 'b' }, 4);
    metrics.seconds.observe({ pipeline }, 0.2);
    metrics.lag.set({ pipeline }, 7);
  }
  metrics.all.set(9);
  await forgetSeries(metrics, CATALOGUE, { pipeline: 'gone' });
  const text = await registry.metrics();
  expect(text).not.toContain('pipeline="gone"');
  for (const series of [
    'x_lines_total{pipeline="stays",reason="a"} 3',
    'x_lines_total{pipeline="stays",reason="b"} 4',
    'x_seconds_count{pipeline="stays"} 1',
    'x_lag{pipeline="stays"} 7',
    'x_all 9',
  ]) {
    expect(text).toContain(series);
  }
});
