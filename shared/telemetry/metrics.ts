import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What docs/metrics.md says of a metric, and all that Prometheus needs to know of it. */
export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** `skald_<program>_<what>_<unit>`, with `_total` at the end of a counter (prometheus.io/docs/practices/naming). */
  readonly name: string;
  readonly help: string;
  readonly unit: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly buckets?: readonly number[];
}

export type MetricCatalogue = Readonly<Record<string, MetricDefinition>>;

type LabelsOf<Definition extends MetricDefinition> = Definition['labels'][number];

/** The metrics of a catalogue under its keys, each with exactly its labels. */
export type Metrics<Catalogue extends MetricCatalogue> = {
  readonly [Key in keyof Catalogue]: {
    counter: Counter<LabelsOf<Catalogue[Key]>>;
    gauge: Gauge<LabelsOf<Catalogue[Key]>>;
    histogram: Histogram<LabelsOf<Catalogue[Key]>>;
  }[Catalogue[Key]['type']];
};

/** How often the event loop is looked at: rarely, because the agent must not wake an idle host a hundred times a second. */
const EVENT_LOOP_PRECISION_MS = 200;

/**
 * A registry of its own for each agent or transporter: several live in one process in tests and in the demo. It holds the
 * metrics of the process (CPU, memory, event loop, garbage collection) as prom-client names them.
 */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS });
  return registry;
}

/** Creates every metric of a catalogue in the registry. A second time for the same registry throws: it is a bug. */
export function createMetrics<const Catalogue extends MetricCatalogue>(
  catalogue: Catalogue,
  registry: Registry,
): Metrics<Catalogue> {
  const metrics = Object.entries(catalogue).map(([key, definition]) => [
    key,
    createMetric(definition, registry),
  ]);
  // Object.entries forgets which key has which type; createMetric picks the class that Metrics maps the type to.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(metrics) as Metrics<Catalogue>;
}

function createMetric(definition: MetricDefinition, registry: Registry): Counter | Gauge | Histogram {
  const { name, help } = definition;
  const options = { name, help, labelNames: [...definition.labels], registers: [registry] };
  if (definition.type === 'counter') return new Counter(options);
  if (definition.type === 'gauge') return new Gauge(options);
  return new Histogram({ ...options, buckets: [...(definition.buckets ?? LATENCY_BUCKETS)] });
}

/** From a local broker's millisecond to a request that was about to time out; in seconds. */
const LATENCY_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;
