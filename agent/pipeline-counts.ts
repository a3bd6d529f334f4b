/** What happens in a pipeline, as metrics; the one place that knows which metric is which. */
import type { AgentMetrics } from '../shared/telemetry/agent-metrics.ts';
import type { EncodedPart } from './batch/encode-batches.ts';
import type { JournalCounts } from './checkpoint/journal.ts';
import type { PipelineStatus } from './pipeline-status.ts';
import type { PublishedBatch } from './publish/publisher.ts';

export interface PipelineCounts extends JournalCounts {
  readonly encoded: (part: EncodedPart, policy: string) => void;
  readonly acknowledged: (batch: PublishedBatch) => void;
  readonly replaced: (why: string, possibleDuplicates: number, lostBytes: number) => void;
  readonly replayed: (outcome: string, batches: number) => void;
  readonly moved: (reason: string) => void;
  readonly throttled: (ms: number) => void;
  readonly rateLimited: (ms: number) => void;
  readonly produceError: (code: string) => void;
  readonly lost: (bytes: number, reason: string) => void;
  readonly hole: (bytes: number) => void;
  readonly skipped: (bytes: number, droppedRecords: number, policy: string) => void;
  /** Lines that were cut or dropped outside of the encoding of new batches. */
  readonly oversized: (records: number, policy: string) => void;
  readonly queued: (batches: number) => void;
  /** Gauges are read from `status` when somebody asks for the metrics. */
  readonly watch: (status: () => PipelineStatus) => void;
  readonly refresh: () => void;
  readonly forget: () => void;
  /** Grows with whatever shows in the status. */
  readonly changes: number;
}

export function pipelineCounts(metrics: AgentMetrics, pipeline: string, topic: string): PipelineCounts {
  const byTopic = { pipeline, topic };
  let current: (() => PipelineStatus) | undefined;
  let changes = 0;
  return {
    entries: (count, bytes) => {
      metrics.journalEntries.inc(count);
      metrics.journalBytes.inc(bytes);
    },
    fsync: () => metrics.journalFsyncs.inc(),
    failing: (failing) => metrics.journalFailing.set({ pipeline }, failing ? 1 : 0),
    get changes() {
      return changes;
    },
    encoded: (part, policy) => {
      changes += 1;
      metrics.readLines.inc({ pipeline }, part.records);
      metrics.readBytes.inc({ pipeline }, part.rawBytes);
      if (part.oversized.records > 0)
        metrics.oversizedRecords.inc({ pipeline, policy }, part.oversized.records);
      if (part.replacedUnits !== undefined) metrics.replacedUnits.inc({ pipeline }, part.replacedUnits);
    },
    acknowledged: (batch) => {
      changes += 1;
      metrics.acknowledgedRecords.inc(byTopic, batch.intent.records);
      metrics.acknowledgedBytes.inc(byTopic, batch.rawBytes);
      metrics.acknowledgedCompressedBytes.inc(byTopic, batch.batchBytes);
      metrics.acknowledgedBatches.inc(byTopic);
      if (batch.crossedRack) metrics.crossRackBytes.inc(byTopic, batch.batchBytes);
      metrics.produceSeconds.observe({ pipeline }, batch.tookMs / 1000);
    },
    replaced: (why, possibleDuplicates, lostBytes) => {
      changes += 1;
      metrics.possibleDuplicates.inc({ pipeline }, possibleDuplicates);
      if (lostBytes > 0) metrics.lostBytes.inc({ pipeline, reason: why }, lostBytes);
    },
    replayed: (outcome, batches) => {
      if (batches > 0) metrics.replayedBatches.inc({ pipeline, outcome }, batches);
    },
    moved: (reason) => metrics.partitionMoves.inc({ pipeline, reason }),
    rateLimited: (ms) => metrics.rateLimitedSeconds.inc({ pipeline }, ms / 1000),
    throttled: (ms) => metrics.throttledSeconds.inc({ pipeline }, ms / 1000),
    produceError: (code) => metrics.produceErrors.inc({ pipeline, code }),
    lost: (bytes, reason) => {
      changes += 1;
      metrics.lostBytes.inc({ pipeline, reason }, bytes);
    },
    hole: (bytes) => metrics.passedOverBytes.inc({ pipeline, reason: 'hole' }, bytes),
    skipped: (bytes, droppedRecords, policy) => {
      changes += 1;
      metrics.readBytes.inc({ pipeline }, bytes);
      if (droppedRecords > 0) metrics.oversizedRecords.inc({ pipeline, policy }, droppedRecords);
    },
    oversized: (records, policy) => {
      if (records > 0) metrics.oversizedRecords.inc({ pipeline, policy }, records);
    },
    queued: (batches) => metrics.queuedBatches.set({ pipeline }, batches),
    watch: (status) => {
      current = status;
    },
    refresh: () => {
      if (current === undefined) return;
      const status = current();
      metrics.inFlightBatches.set({ pipeline }, status.inFlightBatches);
      metrics.openFiles.set({ pipeline }, status.openFiles);
      metrics.lagBytes.set({ pipeline }, status.lagBytes);
      metrics.lagSeconds.set({ pipeline }, status.lagSeconds);
    },
    forget: () => {
      current = undefined;
      for (const gauge of [
        metrics.inFlightBatches,
        metrics.openFiles,
        metrics.lagBytes,
        metrics.lagSeconds,
        metrics.queuedBatches,
      ]) {
        gauge.remove({ pipeline });
      }
    },
  };
}
