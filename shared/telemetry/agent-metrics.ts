import type { Registry } from 'prom-client';
import { createMetrics, type MetricCatalogue, type Metrics } from './metrics.ts';

/** Every metric of the agent. docs/metrics.md is generated from this table and a test keeps the two equal. */
export const AGENT_METRICS = {
  readLines: {
    type: 'counter',
    name: 'skald_agent_read_lines_total',
    help: 'Records framed from files, one for each line.',
    unit: 'records',
    labels: ['pipeline'],
  },
  readBytes: {
    type: 'counter',
    name: 'skald_agent_read_bytes_total',
    help: 'Bytes read from files, line breaks included.',
    unit: 'bytes',
    labels: ['pipeline'],
  },
  acknowledgedRecords: {
    type: 'counter',
    name: 'skald_agent_acknowledged_records_total',
    help: 'Records that all in-sync replicas have.',
    unit: 'records',
    labels: ['pipeline', 'topic'],
  },
  acknowledgedBytes: {
    type: 'counter',
    name: 'skald_agent_acknowledged_bytes_total',
    help: 'Bytes of files, before compression, that all in-sync replicas have.',
    unit: 'bytes',
    labels: ['pipeline', 'topic'],
  },
  acknowledgedCompressedBytes: {
    type: 'counter',
    name: 'skald_agent_acknowledged_compressed_bytes_total',
    help: 'Bytes of record batches, as sent, that all in-sync replicas have.',
    unit: 'bytes',
    labels: ['pipeline', 'topic'],
  },
  crossRackBytes: {
    type: 'counter',
    name: 'skald_agent_cross_rack_acknowledged_bytes_total',
    help: 'Bytes of acknowledged record batches whose leader was in another rack than the agent.',
    unit: 'bytes',
    labels: ['pipeline', 'topic'],
  },
  acknowledgedBatches: {
    type: 'counter',
    name: 'skald_agent_acknowledged_batches_total',
    help: 'Record batches that all in-sync replicas have.',
    unit: 'batches',
    labels: ['pipeline', 'topic'],
  },
  replayedBatches: {
    type: 'counter',
    name: 'skald_agent_replayed_batches_total',
    help: 'Batches with an open intent at the start: sent again under their old identity, or found in the partition.',
    unit: 'batches',
    labels: ['pipeline', 'outcome'],
  },
  produceErrors: {
    type: 'counter',
    name: 'skald_agent_produce_errors_total',
    help: 'Attempts to send a batch that failed, by error code. Most are tried again.',
    unit: 'errors',
    labels: ['pipeline', 'code'],
  },
  produceSeconds: {
    type: 'histogram',
    name: 'skald_agent_produce_seconds',
    help: 'Time from sending a batch to its acknowledgement.',
    unit: 'seconds',
    labels: ['pipeline'],
  },
  inFlightBatches: {
    type: 'gauge',
    name: 'skald_agent_in_flight_batches',
    help: 'Batches sent and not yet acknowledged.',
    unit: 'batches',
    labels: ['pipeline'],
  },
  queuedBatches: {
    type: 'gauge',
    name: 'skald_agent_queued_batches',
    help: 'Batches that wait for a worker or for their turn to be sent.',
    unit: 'batches',
    labels: ['pipeline'],
  },
  memoryBytes: {
    type: 'gauge',
    name: 'skald_agent_memory_bytes',
    help: 'Bytes of the memory budget in use.',
    unit: 'bytes',
    labels: [],
  },
  memoryLimitBytes: {
    type: 'gauge',
    name: 'skald_agent_memory_limit_bytes',
    help: 'The memory budget, limits.memoryBytes.',
    unit: 'bytes',
    labels: [],
  },
  openFiles: {
    type: 'gauge',
    name: 'skald_agent_open_files',
    help: 'Log files held open.',
    unit: 'files',
    labels: ['pipeline'],
  },
  lagBytes: {
    type: 'gauge',
    name: 'skald_agent_lag_bytes',
    help: 'Bytes in the files of the pipeline that are not acknowledged yet.',
    unit: 'bytes',
    labels: ['pipeline'],
  },
  lostBytes: {
    type: 'counter',
    name: 'skald_agent_lost_bytes_total',
    help: 'Bytes that went away before they were read: a file was truncated or deleted too early.',
    unit: 'bytes',
    labels: ['pipeline', 'reason'],
  },
  oversizedRecords: {
    type: 'counter',
    name: 'skald_agent_oversized_records_total',
    help: 'Records longer than framing.maxRecordBytes, or than the broker takes, by what became of them.',
    unit: 'records',
    labels: ['pipeline', 'policy'],
  },
  possibleDuplicates: {
    type: 'counter',
    name: 'skald_agent_possible_duplicate_records_total',
    help: 'Records sent again under a new identity, because nobody could say whether they had arrived.',
    unit: 'records',
    labels: ['pipeline'],
  },
  partitionMoves: {
    type: 'counter',
    name: 'skald_agent_partition_moves_total',
    help: 'Times that a pipeline went on with another partition, by reason.',
    unit: 'moves',
    labels: ['pipeline', 'reason'],
  },
  journalEntries: {
    type: 'counter',
    name: 'skald_agent_journal_entries_total',
    help: 'Entries appended to the checkpoint journal.',
    unit: 'entries',
    labels: [],
  },
  journalBytes: {
    type: 'counter',
    name: 'skald_agent_journal_bytes_total',
    help: 'Bytes appended to the checkpoint journal.',
    unit: 'bytes',
    labels: [],
  },
  journalFsyncs: {
    type: 'counter',
    name: 'skald_agent_journal_fsyncs_total',
    help: 'Times that the checkpoint journal was forced to disk.',
    unit: 'flushes',
    labels: [],
  },
  journalFailing: {
    type: 'gauge',
    name: 'skald_agent_journal_failing_state',
    help: '1 while the journal of the pipeline cannot be written: if the agent dies now, lines are sent twice.',
    unit: 'state',
    labels: ['pipeline'],
  },
  pipelines: {
    type: 'gauge',
    name: 'skald_agent_pipelines',
    help: 'Pipelines that run.',
    unit: 'pipelines',
    labels: [],
  },
  refusedPipelineFiles: {
    type: 'gauge',
    name: 'skald_agent_refused_pipeline_files',
    help: 'Pipeline files that are invalid now; the last valid version of each keeps running.',
    unit: 'files',
    labels: [],
  },
} as const satisfies MetricCatalogue;

export type AgentMetrics = Metrics<typeof AGENT_METRICS>;

export function createAgentMetrics(registry: Registry): AgentMetrics {
  return createMetrics(AGENT_METRICS, registry);
}
