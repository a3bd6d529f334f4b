import { expect, test } from 'vitest';
import { parsePrometheus } from '../../../../scripts/demo/prometheus-text.ts';

/** The example of prometheus.io/docs/instrumenting/exposition_formats, shortened. */
const EXAMPLE = `# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
`;

test('the values of a metric are summed over its labels', () => {
  const values = parsePrometheus(EXAMPLE);

  expect(Object.fromEntries(values)).toEqual({
    http_requests_total: 1030,
    msdos_file_access_time_seconds: 1.458255915e9,
    metric_without_timestamp_and_labels: 12.47,
    http_request_duration_seconds_bucket: 168374,
    http_request_duration_seconds_sum: 53423,
  });
});
