/** What the batches of a pipeline are built with, now and again after a crash. */
import type { Clock } from '../../shared/clock.ts';
import type { PipelineConfig } from '../../shared/config/pipeline-config.ts';
import { isPlainLines } from '../../shared/framing/framing.ts';
import type { Keying } from '../../shared/framing/record-key.ts';
import { rebuildIntent } from '../checkpoint/rebuild.ts';
import type { Intent, IntentRange } from '../checkpoint/entries.ts';
import type { OpenFile } from '../discover/file-system.ts';
import type { PipelineCounts } from '../pipeline-counts.ts';
import type { Partitioner } from '../publish/partitioner.ts';
import { type BatchSettings, settingsOf } from '../publish/seal.ts';
import type { TopicWatch } from '../publish/topic-view.ts';
import type { EncodedPart, EncodeJob, JobSegment } from './encode-batches.ts';
import type { BatchEncoder } from './encoder.ts';
import { recordLimit } from './record-limit.ts';

export interface BatchBuilderOptions {
  config: Pick<PipelineConfig, 'name' | 'kafka' | 'framing' | 'partitioner'>;
  host: string;
  encoder: Pick<BatchEncoder, 'encode'>;
  topicWatch: Pick<TopicWatch, 'view' | 'maxMessageBytes'>;
  /** Where records without a key go. */
  partitioner: Partitioner;
  /** Opens a file for reading old bytes again; undefined when it cannot be found any more. */
  readonly reopen: (fileId: string) => Promise<OpenFile | undefined>;
  counts: Pick<PipelineCounts, 'encoded' | 'oversized'>;
  clock: Clock;
}

export interface Built {
  parts: EncodedPart[];
  settings: BatchSettings;
}

export interface BatchBuilder {
  /** Of a batch that is closed now. */
  readonly settings: () => BatchSettings;
  readonly job: (segments: JobSegment[], settings: BatchSettings) => EncodeJob;
  /** The longest record that a batch surely takes. */
  readonly maxRecordBytes: () => number;
  /** Builds lines of a file at once, with the settings of now. */
  readonly build: (segment: JobSegment) => Promise<Built>;
  /**
   * Builds an intent's records again from the files, or from what is `held` of them, none above `maxBatchBytes`; undefined
   * when the bytes are gone.
   */
  readonly rebuild: (
    intent: Intent,
    maxBatchBytes: number,
    held?: ReadonlyMap<IntentRange, Uint8Array>,
  ) => Promise<Built | undefined>;
}

export function createBatchBuilder(options: BatchBuilderOptions): BatchBuilder {
  const { config, encoder, topicWatch, counts, clock } = options;
  const { codec, level } = config.kafka;
  const { oversize, format } = config.framing;
  const framing = isPlainLines(format) ? undefined : format;
  const names = { host: options.host, pipeline: config.name };

  const maxRecordBytes = (): number => recordLimit(config.framing.maxRecordBytes, topicWatch.maxMessageBytes);

  /** The partitions are those that the topic has now; what has no key stays on one for a while, as without keys. */
  const keying = (): Keying | undefined => {
    const { view } = topicWatch;
    if (config.partitioner.type !== 'keyed' || view === undefined) return undefined;
    const keyless = options.partitioner.choose(view, () => true)?.partition ?? 0;
    return { source: config.partitioner.key, partitions: view.partitions.length, keyless };
  };

  const settings = (): BatchSettings => ({
    timestampMs: clock.nowMs(),
    codec,
    level,
    maxRecordBytes: maxRecordBytes(),
    oversize,
    framing,
    keying: keying(),
  });

  const jobFor = (segments: JobSegment[], its: BatchSettings, maxBatchBytes: number): EncodeJob => {
    const { level: itsLevel, keying: itsKeying, ...rest } = its;
    const lines = { ...rest, ...names, ...(itsLevel !== undefined && { level: itsLevel }) };
    return { segments, maxBatchBytes, options: lines, keying: itsKeying };
  };
  const job: BatchBuilder['job'] = (segments, its) => jobFor(segments, its, topicWatch.maxMessageBytes);

  return {
    settings,
    job,
    maxRecordBytes,
    build: async (segment) => {
      const now = settings();
      const parts = await encoder.encode(job([segment], now));
      for (const part of parts) counts.encoded(part, oversize);
      return { parts, settings: now };
    },
    rebuild: async (intent, maxBatchBytes, held) => {
      const segments = await rebuildIntent(intent, options.reopen, held);
      if (segments === undefined) return undefined;
      // With no limit it must be the same batch again; with one, no record may be above it.
      const limit = Number.isFinite(maxBatchBytes)
        ? recordLimit(intent.maxRecordBytes, maxBatchBytes)
        : intent.maxRecordBytes;
      const same = { ...settingsOf(intent), maxRecordBytes: limit };
      const parts = await encoder.encode(jobFor(segments, same, maxBatchBytes));
      if (limit < intent.maxRecordBytes) {
        const cut = parts.reduce((sum, part) => sum + part.oversized.records, 0);
        counts.oversized(cut, same.oversize);
      }
      return { parts, settings: same };
    },
  };
}
