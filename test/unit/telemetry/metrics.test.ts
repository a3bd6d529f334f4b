import { describe, expect, test } from 'vitest';
import { AGENT_METRICS, createAgentMetrics } from '../../../shared/telemetry/agent-metrics.ts';
import { createRegistry, type MetricCatalogue } from '../../../shared/telemetry/metrics.ts';
import {
  createTransporterMetrics,
  TRANSPORTER_METRICS,
} from '../../../shared/telemetry/transporter-metrics.ts';

const catalogues: [string, MetricCatalogue][] = [
  ['agent', AGENT_METRICS],
  ['transporter', TRANSPORTER_METRICS],
];

// prometheus.io/docs/practices/naming and prometheus.io/docs/concepts/data_model
describe.each(catalogues)('names of the %s', (program, catalogue) => {
  const definitions = Object.values(catalogue);

  test.each(definitions.map((definition) => [definition.name, definition] as const))(
    '%s',
    (name, definition) => {
      expect(name).toMatch(new RegExp(`^skald_${program}_[a-z]+(_[a-z]+)*$`));
      expect(name.endsWith('_total')).toBe(definition.type === 'counter');
      const unit = ['bytes', 'seconds'].includes(definition.unit) ? `_${definition.unit}` : '';
      expect(name.replace(/_total$/, '')).toMatch(new RegExp(`${unit}$`));
      for (const label of definition.labels) expect(label).toMatch(/^[a-z][a-z_]*$/);
      expect(definition.help).toMatch(/^[A-Z0-9].*\.$/);
    },
  );

  test('each name is there once', () => {
    expect(new Set(definitions.map(({ name }) => name)).size).toBe(definitions.length);
  });
});

test('what is counted is in the text that Prometheus reads', async () => {
  const registry = createRegistry();
  const metrics = createAgentMetrics(registry);
  metrics.readBytes.inc({ pipeline: 'access-log' }, 137);
  metrics.memoryLimitBytes.set(42);
  metrics.produceSeconds.observe({ pipeline: 'access-log' }, 0.02);
  const lines = (await registry.metrics()).split('\n');
  expect(lines).toContain('# TYPE skald_agent_read_bytes_total counter');
  expect(lines).toContain('skald_agent_read_bytes_total{pipeline="access-log"} 137');
  expect(lines).toContain('skald_agent_memory_limit_bytes 42');
  expect(lines).toContain('skald_agent_produce_seconds_bucket{le="0.025",pipeline="access-log"} 1');
  expect(lines).toContain('skald_agent_produce_seconds_bucket{le="0.01",pipeline="access-log"} 0');
});

test('the process itself is measured as well', async () => {
  const text = await createRegistry().metrics();
  expect(text).toContain('# TYPE process_cpu_seconds_total counter');
  expect(text).toContain('# TYPE process_resident_memory_bytes gauge');
});

test('two instances in one process count apart', async () => {
  const [first, second] = [createRegistry(), createRegistry()];
  createTransporterMetrics(first).rebalances.inc();
  createTransporterMetrics(second);
  expect(await first.metrics()).toContain('skald_transporter_rebalances_total 1');
  expect(await second.metrics()).toContain('skald_transporter_rebalances_total 0');
});

test('a label that the catalogue does not have is refused', () => {
  const metrics = createAgentMetrics(createRegistry());
  // @ts-expect-error -- the type refuses it as well
  expect(() => metrics.readBytes.inc({ file: 'a' })).toThrow(/label/i);
});
