/**
 * Values by metric name, summed over labels, of the Prometheus text format
 * (prometheus.io/docs/instrumenting/exposition_formats).
 */
export function parsePrometheus(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z_:][\w:]*)(?:\{.*\})?\s+(\S+)/.exec(line);
    if (match === null) continue;
    const [, name = '', value = ''] = match;
    values.set(name, (values.get(name) ?? 0) + Number(value));
  }
  return values;
}
