import type { Registry } from 'prom-client';
import { createMetrics, type MetricCatalogue, type Metrics } from './metrics.ts';

/** Every metric of the transporter. docs/metrics.md is generated from this table and a test keeps the two equal. */
export const TRANSPORTER_METRICS = {
  fetchedBytes: {
    type: 'counter',
    name: 'skald_transporter_fetched_bytes_total',
    help: 'Bytes of record batches fetched, as compressed.',
    unit: 'bytes',
    labels: ['topic'],
  },
  crossRackBytes: {
    type: 'counter',
    name: 'skald_transporter_cross_rack_fetched_bytes_total',
    help: 'Bytes of record batches fetched from a replica in another rack than the transporter.',
    unit: 'bytes',
    labels: ['topic'],
  },
  fetchErrors: {
    type: 'counter',
    name: 'skald_transporter_fetch_errors_total',
    help: 'Fetches that failed, by error code. All are tried again.',
    unit: 'errors',
    labels: ['code'],
  },
  records: {
    type: 'counter',
    name: 'skald_transporter_records_total',
    help: 'Records decoded.',
    unit: 'records',
    labels: ['topic'],
  },
  decodedBytes: {
    type: 'counter',
    name: 'skald_transporter_decoded_bytes_total',
    help: 'Bytes of decoded records, as formatted, before they are compressed again.',
    unit: 'bytes',
    labels: ['topic'],
  },
  lateRecords: {
    type: 'counter',
    name: 'skald_transporter_late_records_total',
    help: 'Records of a time bucket that was finished before they came; each went to its own bucket.',
    unit: 'records',
    labels: ['topic'],
  },
  lostOffsets: {
    type: 'counter',
    name: 'skald_transporter_lost_offsets_total',
    help: 'Offsets that Kafka deleted before they were carried (retention); the log says which. Each was a record unless compaction had taken it.',
    unit: 'offsets',
    labels: ['topic'],
  },
  quarantinedRecords: {
    type: 'counter',
    name: 'skald_transporter_quarantined_records_total',
    help: 'Records that could not be decoded, or not carried as their layout wants it, and went to the quarantine prefix, by reason.',
    unit: 'records',
    labels: ['topic', 'reason'],
  },
  timeFallbacks: {
    type: 'counter',
    name: 'skald_transporter_time_fallbacks_total',
    help: 'Records without a usable time where `time` looks for it, which went to the bucket of their timestamp.',
    unit: 'records',
    labels: ['topic'],
  },
  openChunks: {
    type: 'gauge',
    name: 'skald_transporter_open_chunks',
    help: 'Chunks that still take records.',
    unit: 'chunks',
    labels: [],
  },
  chunkCuts: {
    type: 'counter',
    name: 'skald_transporter_chunk_cuts_total',
    help: 'Chunks cut, by reason: size, age, time bucket, memory, rebalance or shutdown.',
    unit: 'chunks',
    labels: ['topic', 'reason'],
  },
  intents: {
    type: 'counter',
    name: 'skald_transporter_intents_total',
    help: 'Intents committed: the end of a chunk is fixed before its objects are completed.',
    unit: 'intents',
    labels: ['topic'],
  },
  replays: {
    type: 'counter',
    name: 'skald_transporter_replays_total',
    help: 'Chunks rebuilt from an intent that an earlier owner of the partition left open.',
    unit: 'chunks',
    labels: ['topic'],
  },
  commitSeconds: {
    type: 'histogram',
    name: 'skald_transporter_commit_seconds',
    help: 'Time of an offset commit, intents included.',
    unit: 'seconds',
    labels: [],
  },
  objects: {
    type: 'counter',
    name: 'skald_transporter_objects_total',
    help: 'Objects written and committed.',
    unit: 'objects',
    labels: ['topic'],
  },
  objectBytes: {
    type: 'counter',
    name: 'skald_transporter_object_bytes_total',
    help: 'Bytes of objects written and committed, as compressed.',
    unit: 'bytes',
    labels: ['topic'],
  },
  objectRecords: {
    type: 'counter',
    name: 'skald_transporter_object_records_total',
    help: 'Records in objects written and committed.',
    unit: 'records',
    labels: ['topic'],
  },
  uploadSeconds: {
    type: 'histogram',
    name: 'skald_transporter_upload_seconds',
    help: 'Time of a request that writes an object or a part, attempts after the first included.',
    unit: 'seconds',
    labels: [],
  },
  uploadErrors: {
    type: 'counter',
    name: 'skald_transporter_upload_errors_total',
    help: 'Requests to the store that failed, by error code. Most are tried again.',
    unit: 'errors',
    labels: ['code'],
  },
  memoryBytes: {
    type: 'gauge',
    name: 'skald_transporter_memory_bytes',
    help: 'Bytes of the memory budget in use.',
    unit: 'bytes',
    labels: [],
  },
  memoryLimitBytes: {
    type: 'gauge',
    name: 'skald_transporter_memory_limit_bytes',
    help: 'The memory budget, limits.memoryBytes.',
    unit: 'bytes',
    labels: [],
  },
  lagRecords: {
    type: 'gauge',
    name: 'skald_transporter_lag_records',
    help: 'Offsets between the last commit and the end of an assigned partition.',
    unit: 'records',
    labels: ['topic', 'partition'],
  },
  oldestUncommittedSeconds: {
    type: 'gauge',
    name: 'skald_transporter_oldest_uncommitted_age_seconds',
    help: 'Time since the oldest record came that was fetched and is not committed, of an assigned partition; 0 when there is none.',
    unit: 'seconds',
    labels: ['topic', 'partition'],
  },
  assignedPartitions: {
    type: 'gauge',
    name: 'skald_transporter_assigned_partitions',
    help: 'Partitions assigned to this worker.',
    unit: 'partitions',
    labels: ['topic'],
  },
  rebalances: {
    type: 'counter',
    name: 'skald_transporter_rebalances_total',
    help: 'Times that the group dealt out its partitions anew.',
    unit: 'rebalances',
    labels: [],
  },
} as const satisfies MetricCatalogue;

export type TransporterMetrics = Metrics<typeof TRANSPORTER_METRICS>;

export function createTransporterMetrics(registry: Registry): TransporterMetrics {
  return createMetrics(TRANSPORTER_METRICS, registry);
}
