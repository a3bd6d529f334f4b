import type { MetricCatalogue } from '../../shared/telemetry/metrics.ts';
import { markdownTable } from './markdown-table.ts';

export function metricReference(catalogue: MetricCatalogue): string {
  const rows = Object.values(catalogue).map(({ name, type, unit, labels, help }) => [
    `\`${name}\``,
    type,
    unit,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return markdownTable(['Name', 'Type', 'Unit', 'Labels', 'Meaning'], rows);
}
