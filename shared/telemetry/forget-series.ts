import type { MetricCatalogue, Metrics } from './metrics.ts';

/**
 * Removes every series that has these labels, whatever its other labels are: without it, what came and went, such as a
 * pipeline, would be reported for ever.
 */
export async function forgetSeries<const Catalogue extends MetricCatalogue>(
  metrics: Metrics<Catalogue>,
  catalogue: Catalogue,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  const wanted = Object.entries(labels);
  for (const [key, definition] of Object.entries(catalogue)) {
    if (!wanted.every(([label]) => definition.labels.includes(label))) continue;
    const metric = metrics[key]!;
    for (const { labels: series } of (await metric.get()).values) {
      const found = new Map<string, string | number | undefined>(Object.entries(series));
      if (!wanted.every(([label, value]) => found.get(label) === value)) continue;
      // By the metric's own labels: a histogram's buckets have one more, `le`, and go with their series.
      metric.remove(...definition.labels.map((label) => String(found.get(label) ?? '')));
    }
  }
}
